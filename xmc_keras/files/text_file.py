"""Lines of text files, plain or compressed."""

import gzip
import lzma
import os
import zlib

from xmc_keras.bad_input import BadInput


class TextFile:
    r"""Lines of a file as bytes, with the fraction read so far.

    The file is plain or compressed (`.gz`, `.xz`). Lines end at "\n" only, and keep
    it. A byte order mark is removed. A context manager, which closes the file.

    Args:
        path: string or path.

    Attributes:
        share: float in [0, 1]. Fraction of the bytes on disk that has been read.

    Raises:
        BadInput: the file cannot be opened or, during iteration, is damaged.

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
                f"Expected a text file. Received: {error.strerror}.", path
            ) from None
        self._size = max(1, os.fstat(self._raw.fileno()).st_size)

    @property
    def share(self):
        return min(1.0, position(self._raw) / self._size)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Closes the file."""
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
                f"Expected an intact file. Received: {error}. Download it again.",
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
    r"""Decodes lines of UTF-8 lazily.

    Args:
        source: string. Name of the source in error messages.
        lines: iterable of bytes, one text per line; the line end is removed.
        skip: optional callable. Called with the `BadInput` of a line that is not
            UTF-8; the line is left out. Defaults to `None`: the error is raised.

    Yields:
        strings.

    Raises:
        BadInput: a line is not UTF-8 and there is no `skip`.

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


def position(file):
    """The position in an open file, in bytes."""
    return file.seek(0, os.SEEK_CUR)
