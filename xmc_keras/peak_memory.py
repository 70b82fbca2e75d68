"""The most memory that this process has had."""

import re
import resource
import sys
from pathlib import Path


def peak_memory_gb(status="/proc/self/status"):
    """Most main memory that this process has held so far, in 10^9 bytes.

    Where Linux's file `status` is not there it is `ru_maxrss`, which on Linux may be
    that of the process that started this one.

    Example:

    >>> 0.001 < peak_memory_gb() < 1000
    True
    """
    status = Path(status)
    if status.exists():
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
