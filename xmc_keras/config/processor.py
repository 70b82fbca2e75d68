"""What the processor is fast at."""

from pathlib import Path

# Flags of Linux for instructions that multiply matrices of bfloat16.
FAST_BFLOAT16 = {"amx_bf16", "avx512_bf16"}


def has_fast_bfloat16(path="/proc/cpuinfo"):
    """Whether the processor multiplies bfloat16 faster than float32, a bool.

    As far as Linux says so in the file; elsewhere False.

    Example:

    >>> has_fast_bfloat16("no such file")
    False
    """
    try:
        text = Path(path).read_text("utf-8")
    except OSError:
        return False
    return not FAST_BFLOAT16.isdisjoint(text.split())
