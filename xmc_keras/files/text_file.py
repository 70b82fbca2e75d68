"""Text files, plain or compressed, and their lines."""

import gzip
import lzma
import os
import zlib

from xmc_keras.bad_input import BadInput


class TextFile:
    r"""Yields the lines of a file as bytes, and tells how far it has come.

    The file is plain, or compressed as `.gz` or `.xz`. Lines end at "\n" alone; they
    keep it. A byte order mark is taken off. It is a context manager, which closes it.

    Args:
        path: string or path.

    Attributes:
        share: float in [0, 1]. Of the file, as it lies on the disk, what has been
            read.

    Raises:
        BadInput: there is no such file, or, while it is read, it is damaged.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "texts.txt.gz")
    ...     _ = path.write_bytes(gzip.compress(b"sea\nsky"))
    ...     with TextFile(path) as file:
    ...         list(file), file.share
    ([b'sea\n', b'sky'], 1.0)
    """

    def __init__(self, path):
        self.path = path
        try:
            self._raw = open(path, "rb")
        except OSError as error:
            raise BadInput(
                f"Expected a file of texts. Received: {error.strerror}.", path
            ) from None
        self._size = max(1, os.fstat(self._raw.fileno()).st_size)

    @property
    def share(self):
        return min(1.0, self._raw.tell() / self._size)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._raw.close()

    def __iter__(self):
        line = 0
        try:
            for line, content in enumerate(self._decompressed(), 1):
                if line == 1:
                    content = content.removeprefix(b"\xef\xbb\xbf")
                yield content
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise BadInput(
                f"Expected a whole file. Received: {error}. Fetch it again.",
                self.path,
                line + 1,
            ) from None

    def _decompressed(self):
        if str(self.path).endswith(".gz"):
            return gzip.GzipFile(fileobj=self._raw)
        if str(self.path).endswith(".xz"):
            return lzma.LZMAFile(self._raw, format=lzma.FORMAT_XZ)
        return self._raw


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
