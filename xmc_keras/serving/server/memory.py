"""Memory that the C library holds although nothing uses it."""

import contextlib
import ctypes
import gc

M_ARENA_MAX = -8  # of glibc's mallopt
ARENAS = 2


def limit_arenas():
    """Makes threads share heaps, instead of up to eight heaps for each core.

    Each of them keeps what its threads once needed. Call it before there are threads.
    """
    with _glibc() as library:
        library.mallopt(M_ARENA_MAX, ARENAS)


def free_unused_memory():
    """Deletes what is unused, and returns its memory to the system.

    A session and its graph refer to each other, so that they last until Python looks
    for such cycles; and glibc keeps what was freed.
    """
    gc.collect()
    with _glibc() as library:
        library.malloc_trim(0)


@contextlib.contextmanager
def _glibc():
    # Another C library lacks these functions, and needs no such help.
    with contextlib.suppress(OSError, AttributeError, TypeError):
        yield ctypes.CDLL(None)
