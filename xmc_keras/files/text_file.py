"""Lines of text files, plain or compressed."""

import codecs
import gzip
import io
import lzma
import os
import zlib

from xmc_keras.files.bad_input import BadInput

START = 65_536  # bytes that are looked at before lines are read
# UTF-32 first: its mark begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}

# First bytes of files that are no text, what they are, and what to do.
BINARY = {
    b"\x1f\x8b": ("a gzip file", "Give it a name that ends in .gz."),
    b"\xfd7zXZ\0": ("an xz file", "Give it a name that ends in .xz."),
    b"BZh9": ("a bzip2 file", "Unpack it: bunzip2."),
    b"\x28\xb5\x2f\xfd": ("a Zstandard file", "Unpack it: zstd -d."),
    b"PK\3\4": ("a zip archive or spreadsheet", "Unpack it, or save it as CSV."),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet or document of Office", "Save it as CSV."),
    b"PAR1": ("a Parquet file", "Give it a name that ends in .parquet."),
    b"SQLite format 3\0": ("an SQLite database", "Export the documents as CSV."),
    b"%PDF-": ("a PDF document", "Extract its text."),
}


class TextFile:
    r"""Lines of a file as bytes, with the fraction read so far.

    The file is plain or compressed (`.gz`, `.xz`). Lines end at "\n" only, and keep
    it. A byte order mark is removed. A context manager, which closes the file.

    Args:
        path: string or path.

    Attributes:
        share: float in [0, 1]. Fraction of the bytes on disk that has been read.

    Raises:
        BadInput: the file cannot be opened or, during iteration, is damaged or is not
            what `check_start` expects.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "texts.txt.gz")
    ...     _ = path.write_bytes(gzip.compress(b"sea\nsky"))
    ...     with TextFile(path) as file:
    ...         list(file), file.share
    ([b'sea\n', b'sky'], 1.0)
    """

    lines_before = 0  # of the file, before the first that is read

    def __init__(self, path):
        self.path = path
        try:
            self._raw = open(path, "rb", START)
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
            for line, content in enumerate(self._lines(), 1):
                yield content
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise BadInput(
                f"Expected an intact file. Received: {error}. Download it again.",
                self.path,
                self.lines_before + line + 1,
            ) from None

    def _lines(self):
        return raw_lines(self.path, self._decompressed())

    def _decompressed(self):
        if str(self.path).endswith(".gz"):
            return io.BufferedReader(gzip.GzipFile(fileobj=self._raw), START)
        if str(self.path).endswith(".xz"):
            file = lzma.LZMAFile(self._raw, format=lzma.FORMAT_XZ)
            return io.BufferedReader(file, START)
        return self._raw


def raw_lines(source, file):
    r"""Yields the lines of a binary file, without a byte order mark.

    Args:
        source: string or path. Name of the file in error messages.
        file: file in binary mode with `peek`, such as `sys.stdin.buffer`.

    Raises:
        BadInput: the file begins with what `check_start` does not expect.

    Example:

    >>> file = io.BufferedReader(io.BytesIO(b"\xef\xbb\xbfsea\nsky"))
    >>> list(raw_lines("standard input", file))
    [b'sea\n', b'sky']
    """
    check_start(source, file.peek(START)[:START])
    for number, content in enumerate(file):
        yield content if number else content.removeprefix(codecs.BOM_UTF8)


def check_start(source, start):
    r"""Raises `BadInput` if bytes are not the start of lines of UTF-8.

    That is so for binary files, for UTF-16 and UTF-32, with and without a byte order
    mark, and for lines that end in carriage returns alone.

    Args:
        source: string or path, for the message.
        start: bytes. The first bytes of a file, or all of them.

    Example:

    >>> check_start("texts.txt", "sea\nsky".encode("utf-16"))
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: texts.txt: Expected UTF-8. Received: UTF-16. ...
    """
    for mark, (kind, remedy) in BINARY.items():
        if start.startswith(mark):
            raise BadInput(f"Expected text. Received: {kind}.", source, remedy=remedy)
    found = next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
    # The high bytes of letters of Europe, which no text in UTF-8 has often; those of
    # spaces and line ends among them are NUL.
    high = sum(map(start.count, range(8)))
    is_wide = 4 * high > len(start) and 40 * start.count(0) > len(start)
    if found is None and len(start) >= 8 and is_wide:
        found = "UTF-32" if 2 * start.count(0) > len(start) + 2 else "UTF-16"
        found += " without a byte order mark"
    if found:
        raise BadInput(
            f"Expected UTF-8. Received: {found}.",
            source,
            remedy=f"Convert it: iconv -f {_for_iconv(found, start)} -t UTF-8.",
        )
    pieces = [] if b"\n" in start else start.split(b"\r")
    if len(pieces) > 2:
        raise BadInput(
            "Expected lines that end in a line feed. Received: carriage returns alone, "
            "as old Macintosh programs write them.",
            source,
            remedy="Convert it: tr '\\r' '\\n'.",
        )


def _for_iconv(found, start):
    """The name of an encoding, with the order of its bytes where no mark says it."""
    if "without" not in found:
        return found
    return f"{found[:6]}{'BE' if start[0] < 8 else 'LE'}"


def text_lines(source, lines, skip=None):
    r"""Decodes lines of UTF-8 lazily, see also `raw_lines`.

    Args:
        source: string. Name of the source in error messages.
        lines: iterable of bytes, one text per line; the line end is removed. Messages
            count its lines from 1, or those of a `TextShare` as lines of the file.
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
                number + getattr(lines, "lines_before", 0),
            )
            if skip is None:
                raise error from None
            skip(error)
        else:
            yield text


def position(file):
    """The position in an open file, in bytes."""
    return file.seek(0, os.SEEK_CUR)
