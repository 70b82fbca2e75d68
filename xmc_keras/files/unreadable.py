"""The errors with which NumPy and zipfile refuse a damaged file."""

import struct
import zipfile
import zlib

# A flipped bit in a header may claim encryption (RuntimeError), another compression
# (NotImplementedError, a RuntimeError) or a size that does not exist (OverflowError).
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    SyntaxError,
    RuntimeError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
