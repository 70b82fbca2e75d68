"""Free memory of the machine and its GPU, and peak memory of this process."""

import contextlib
import os
import re
import resource
import sys
from pathlib import Path


def measure_free_memory():
    """Free memory in bytes, of the `machine` and, if there is one, of the `GPU`.

    For the machine it is the memory that Linux calls available, or what the limits of
    the process's control groups leave, if that is less; without /proc it is all memory.
    Of several GPUs the one with the least memory counts.

    Example:

    >>> measure_free_memory()["machine"] > 0
    True
    """
    room = {"machine": measure_machine_memory()}  # before TensorFlow uses some of it
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        from tensorflow.python.client import device_lib

        devices = device_lib.list_local_devices()
        limits = [d.memory_limit for d in devices if d.device_type == "GPU"]
        room["GPU"] = min(limits)
    return room


def measure_peak_memory(status="/proc/self/status"):
    """Peak main memory of this process so far, in 10^9 bytes.

    Without Linux's file `status` it is `ru_maxrss`, which on Linux may be the peak of
    the parent process.

    Example:

    >>> 0.001 < measure_peak_memory() < 1000
    True
    """
    status = Path(status)
    if status.exists():
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def measure_machine_memory(root="/"):
    """Free memory of the machine in bytes, from the files of Linux below `root`."""
    root = Path(root)
    rooms = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with contextlib.suppress(OSError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                rooms.append(1024 * int(line.split()[1]))
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            # Version 2 has one tree, version 1 has one per controller.
            if controllers in ("", "memory"):
                folder = root / "sys/fs/cgroup" / controllers
                rooms += measure_group_memory(folder, Path(path.lstrip("/")))
    return min(rooms)


def measure_group_memory(folder, path):
    """Yields the free memory of a control group and its parents, if they have a limit.

    Bytes of each.
    """
    # In a container the process's own group may be mounted at the top.
    for group in (folder / path, *(folder / p for p in path.parents), folder):
        for limit, usage in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            # No such file, or "max": no limit.
            with contextlib.suppress(OSError, ValueError):
                most = int((group / limit).read_text())
                used = int((group / usage).read_text())
                yield most - used + count_file_pages(group)


def count_file_pages(group):
    """Bytes of a group's file cache, which count as used but can be reclaimed."""
    size = 0
    with contextlib.suppress(OSError):
        for line in (group / "memory.stat").read_text().splitlines():
            name, value = line.split()
            if name in ("inactive_file", "total_inactive_file"):
                size = int(value)
    return size
