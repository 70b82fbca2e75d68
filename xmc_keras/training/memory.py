"""Memory that there is, and memory that was used."""

import contextlib
import os
import re
import resource
import sys
from pathlib import Path


def measure_free_memory():
    """Bytes that may still be taken: of the `machine` and, where there is one, a `GPU`.

    Of the machine it is what Linux calls available, or what the limits of this
    process's control groups leave, if that is less; where there is no /proc, all
    memory. Of several GPUs the smallest counts.

    Example:

    >>> measure_free_memory()["machine"] > 0
    True
    """
    room = {"machine": measure_machine_memory()}  # first: TensorFlow takes of it
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        from tensorflow.python.client import device_lib

        devices = device_lib.list_local_devices()
        limits = [d.memory_limit for d in devices if d.device_type == "GPU"]
        room["GPU"] = min(limits)
    return room


def measure_machine_memory(root="/"):
    """The part of `measure_free_memory` that is asked of files below `root`."""
    root = Path(root)
    rooms = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with contextlib.suppress(OSError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                rooms.append(1024 * int(line.split()[1]))
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            # Version 2 has one tree, version 1 one for each controller.
            if controllers in ("", "memory"):
                folder = root / "sys/fs/cgroup" / controllers
                rooms += measure_group_memory(folder, Path(path.lstrip("/")))
    return min(rooms)


def measure_group_memory(folder, path):
    """What a control group and those above it leave, of those with a limit."""
    # In a container the group that the process sees as its own may stand at the top.
    for group in (folder / path, *(folder / p for p in path.parents), folder):
        for limit, usage in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            # No such file, or "max": no limit here.
            with contextlib.suppress(OSError, ValueError):
                most = int((group / limit).read_text())
                used = int((group / usage).read_text())
                yield most - used + count_file_pages(group)


def count_file_pages(group):
    """Bytes of files that a group keeps and would give back, counted as used."""
    with contextlib.suppress(OSError):
        for line in (group / "memory.stat").read_text().splitlines():
            name, value = line.split()
            if name in ("inactive_file", "total_inactive_file"):
                found = int(value)
        return found
    return 0


def measure_peak_memory(status="/proc/self/status"):
    """Most main memory that this process has held so far, in 10^9 bytes.

    Where Linux's file `status` is not there it is `ru_maxrss`, which on Linux may be
    that of the process that started this one.

    Example:

    >>> 0.001 < measure_peak_memory() < 1000
    True
    """
    status = Path(status)
    if status.exists():
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
