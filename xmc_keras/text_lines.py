"""Texts that a person or a program hands over line by line."""

from xmc_keras.bad_input import BadInput


def text_lines(source, lines, skip=None):
    r"""Decodes texts as they come.

    Args:
        source: string. Where they come from, for messages.
        lines: iterable of bytes, a text each; a line end is taken off.
        skip: optional callable. A line that is not UTF-8 is left out, and this is
            called with the `BadInput` that says so. Defaults to `None`: it is raised.

    Yields:
        strings.

    Raises:
        BadInput: a line is not UTF-8.

    Example:

    >>> list(text_lines("standard input", [b"sea\n", b"sky"]))
    ['sea', 'sky']
    >>> list(text_lines("standard input", [b"s\xffa\n", b"sky"], skip=print))
    standard input:1: Expected UTF-8. Received: byte 0xff at offset 1.
    ['sky']
    """
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            error = BadInput(
                f"Expected UTF-8. Received: byte {error.object[error.start]:#x} at "
                f"offset {error.start}.",
                source,
                number,
            )
            if skip is None:
                raise error from None
            skip(error)
        else:
            yield text
