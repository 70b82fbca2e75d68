"""A real file system that is full, or a limit of file sizes that is as real."""

import contextlib
import resource
import subprocess

import pytest


class SmallDisk:
    """A file system in memory, of a size that can be changed.

    Args:
        path: path of an existing folder to mount it at.
    """

    def __init__(self, path):
        self.path = path

    def resize(self, kilobytes):
        options = f"remount,size={kilobytes}k"
        subprocess.run(["mount", "-o", options, self.path], check=True)


@contextlib.contextmanager
def small_disk(path, kilobytes=1000):
    """Mounts a `SmallDisk`; skips the test where that is not allowed."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", path]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a file system is not allowed here")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@contextlib.contextmanager
def largest_file(num_bytes):
    """A limit of this process: a file beyond it cannot be written."""
    earlier = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, earlier[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, earlier)
