"""Files as a disk or a transfer may leave them."""

from hypothesis import strategies as st


def damage(path, data):
    """Cuts a file at any place, or changes any byte; hypothesis draws which."""
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
