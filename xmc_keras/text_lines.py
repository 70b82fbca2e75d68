"""Texts that a person or a program hands over line by line."""

from xmc_keras.bad_input import BadInput


def text_lines(source, lines):
    r"""Decodes texts as they come.

    Args:
        source: string. Where they come from, for messages.
        lines: iterable of bytes, a text each; a line end is taken off.

    Yields:
        strings.

    Raises:
        BadInput: a line is not UTF-8.

    Example:

    >>> list(text_lines("standard input", [b"sea\n", b"sky"]))
    ['sea', 'sky']
    """
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise BadInput(
                f"Expected UTF-8. Received: byte {error.object[error.start]:#x} at "
                f"offset {error.start}.",
                source,
                number,
            ) from None
