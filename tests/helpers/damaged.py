"""Damaged files, as after a disk or transfer error."""

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
