"""The lines of a file as text."""

from xmc_keras.bad_input import BadInput
from xmc_keras.formats.refused import refused
from xmc_keras.text_file import TextFile


class TextRows:
    r"""Yields `(line, text)` of a file in UTF-8, plain or compressed.

    Lines end in "\n" or "\r\n"; other line breaks of Unicode are of the text. A byte
    order mark is taken off.

    Args:
        path: string or path.
        skip: optional callable. A line that is not UTF-8 is left out, and this is
            called with the `BadInput` that says so. Defaults to `None`: it is raised.
        errors: string, as of `bytes.decode`. Defaults to `"strict"`.
        ends: bool. Whether texts keep their line ends. Defaults to `False`.

    Attributes:
        share: float in [0, 1]. Of the file, what has been read.
        line: int. Lines that have been read, those left out among them.

    Raises:
        BadInput: the file is missing, damaged or empty, or a line is not UTF-8.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "texts.txt")
    ...     _ = path.write_bytes(b"sea\r\nsky")
    ...     list(TextRows(path))
    [(1, 'sea'), (2, 'sky')]
    """

    def __init__(self, path, skip=None, errors="strict", ends=False):
        self.path, self.skip, self.errors, self.ends = path, skip, errors, ends
        self._file, self.line = None, 0

    @property
    def share(self):
        return 0.0 if self._file is None else self._file.share

    def __iter__(self):
        with TextFile(self.path) as self._file:
            for self.line, content in enumerate(self._file, 1):
                if not self.ends:
                    content = content.removesuffix(b"\n").removesuffix(b"\r")
                try:
                    yield self.line, content.decode(errors=self.errors)
                except UnicodeDecodeError as error:
                    refused(self.skip, not_utf8(error), self.path, self.line)
        self._file = None
        if self.line == 0:
            raise BadInput("Expected lines. Received: an empty file.", self.path)


def not_utf8(error):
    """What a `UnicodeDecodeError` of a line comes to."""
    return (
        f"Expected UTF-8. Received: byte {error.object[error.start]:#x} at offset "
        f"{error.start} of the line."
    )
