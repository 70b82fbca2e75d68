"""Damaged files, as after a disk or transfer error."""

import contextlib
import ctypes

from hypothesis import strategies as st


def damage(path, data):
    """Truncates a file anywhere or changes any byte, as drawn by hypothesis."""
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)


def damages(content, places=3):
    """Yields what can become of a file: a name, and its content or None.

    None stands for a file that is missing, `"unreadable"` for one that may not be read.
    With `places=1` these are four: the others are one cut and one flipped byte, both
    in the middle.
    """
    yield "missing", None
    yield "unreadable", content
    size = len(content)
    ends = {size // 2} if places == 1 else {0, 1, size // 2, size - 1}
    for end in sorted(ends - {size}):
        yield f"cut to {end} of {size}", content[:end]
    flipped = {round(i * (size - 1) / max(1, places - 1)) for i in range(places)}
    for place in sorted({size // 2} if places == 1 else flipped):
        changed = bytearray(content)
        changed[place] ^= 1
        yield f"byte {place} of {size} flipped", bytes(changed)


@contextlib.contextmanager
def damaged(path, name, content):
    """A file with a damage of `damages`; afterwards it is as it was."""
    whole, mode = path.read_bytes(), path.stat().st_mode
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with contextlib.ExitStack() as stack:
        if name == "unreadable":
            path.chmod(0)
            stack.enter_context(as_an_owner())
        yield
    if path.parent.exists():  # a checkpoint is deleted at the end of its run
        path.unlink(missing_ok=True)
        path.write_bytes(whole)
        path.chmod(mode)


@contextlib.contextmanager
def as_an_owner():
    """Permissions hold for this thread, even if it is that of root."""
    before = _capabilities()
    # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH are the bits 1 and 2.
    _set_capabilities([before[0] & ~0b110, *before[1:]])
    try:
        yield
    finally:
        _set_capabilities(before)


_VERSION = 0x20080522


def _capabilities():
    data = (ctypes.c_uint32 * 6)()
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    assert ctypes.CDLL(None).capget(header, data) == 0
    return list(data)


def _set_capabilities(values):
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    assert ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)(*values)) == 0
