"""The log level of TensorFlow for the parts that do not read it themselves."""

import ctypes
import mmap
import os
from pathlib import Path

import tensorflow as tf

# The end of a mangled name, whose beginning differs between versions of absl.
SET_LEVEL = b"14SetMinLogLevelENS0_18LogSeverityAtLeastE\0"


def apply_log_level():
    """Makes `TF_CPP_MIN_LOG_LEVEL` count for the messages of absl, too.

    XLA logs by absl, which TensorFlow does not initialise: whatever that variable is,
    its first compilation writes "All log messages before absl::InitializeLog() is
    called are written to STDERR" and "Compiled cluster using XLA!". Nothing is changed
    if the variable is not set. The programs of `xmc` set it; who imports the library
    decides.

    Returns:
        bool. Whether the level was set; not where TensorFlow is another build than that
        of Linux wheels.

    Example:

    >>> apply_log_level() in (True, False)
    True
    """
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "")
    library = Path(tf.__file__).parent / "libtensorflow_cc.so.2"
    if not level.isdecimal() or not library.is_file():
        return False
    with (
        open(library, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        end = content.find(SET_LEVEL)
        if end < 0:
            return False
        start = content.rfind(b"\0", 0, end) + 1
        name = content[start : content.find(b"\0", end)].decode()
    try:
        # Loaded already, by TensorFlow.
        set_level = ctypes.CDLL(str(library))[name]
    except (OSError, AttributeError):
        return False
    set_level(ctypes.c_int(min(int(level), 3)))
    return True
