"""A share of the lines of a text file, for one of several programs."""

import codecs
import functools
import os
import stat

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import START, TextFile, check_start


class TextShare(TextFile):
    r"""Lines of a share of a plain file as bytes, with the fraction read so far.

    The bytes of the file are cut into `count` ranges of like size. A line belongs to
    the share in whose range its first byte is, so that each line is in one share, and
    the lines of all shares in turn are those of `TextFile`. A share of a file with
    few lines may have none. No other part of the file is read.

    Args:
        path: string or path of a plain file.
        number: int. Which share, from 1.
        count: int. Number of shares.

    Attributes:
        share: float in [0, 1]. Fraction of the bytes of this share that has been read.
        size: int. Bytes of the whole file.
        lines_before: int. Lines of the file before this share; they are counted when
            it is first asked for.

    Raises:
        BadInput: the number is out of range, or the file is compressed or is no file
            on a disk, and so cannot be cut; see also `TextFile`.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "texts.txt")
    ...     _ = path.write_bytes(b"sea\nsky\nland")
    ...     for number in (1, 2):
    ...         with TextShare(path, number, 2) as file:
    ...             list(file), file.lines_before
    ([b'sea\n', b'sky\n'], 0)
    ([b'land'], 2)
    """

    def __init__(self, path, number, count):
        check_share((number, count))
        super().__init__(path)
        found = os.fstat(self._raw.fileno())
        is_compressed = str(path).endswith((".gz", ".xz"))
        if is_compressed or not stat.S_ISREG(found.st_mode):
            self.close()
            kind = "a compressed file" if is_compressed else "no file on a disk"
            raise BadInput(
                f"Expected a plain file, to cut into shares. Received: {kind}.",
                path,
                remedy="Unpack it first." if is_compressed else "Write it to one.",
            )
        self.size = found.st_size
        begin, self._end = (self.size * n // count for n in (number - 1, number))
        self._begin = self._find_line(begin)
        self._at = self._begin  # the place of the next line

    @property
    def share(self):
        if self._at >= self._end:
            return 1.0
        return (self._at - self._begin) / (self._end - self._begin)

    @functools.cached_property
    def lines_before(self):
        left, lines = self._begin, 0
        with open(self.path, "rb") as file:
            while left and (block := file.read(min(left, 2**20))):
                lines += block.count(b"\n")
                left -= len(block)
        return lines

    def _find_line(self, place):
        """The place where the first line begins at or after a place."""
        if place == 0:
            return 0
        self._raw.seek(place - 1)  # a byte that may end a line
        return place - 1 + len(self._raw.readline())

    def _lines(self):
        self._raw.seek(0)
        check_start(self.path, self._raw.peek(START)[:START])
        self._raw.seek(self._begin)
        while self._at < self._end and (line := self._raw.readline()):
            is_first = self._at == 0
            self._at += len(line)
            yield line.removeprefix(codecs.BOM_UTF8) if is_first else line


def parse_share(text):
    """A share `(number, count)` of its text.

    >>> parse_share("2/8")
    (2, 8)
    >>> parse_share("9/8")
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: Expected a share such as 2/8, ... Received: 9/8.
    """
    parts = text.split("/")
    if len(parts) != 2 or not all(x.isascii() and x.isdigit() for x in parts):
        raise _share_error(text)
    return check_share(tuple(map(int, parts)))


def check_share(share):
    """Returns a share `(number, count)`; raises `BadInput` if there is none such."""
    if not isinstance(share, (tuple, list)) or len(share) != 2:
        raise _share_error(share)
    number, count = share
    if not all(type(value) is int for value in share):
        raise _share_error(share)
    if not 1 <= number <= count:
        raise _share_error(f"{number}/{count}")
    return number, count


def _share_error(received):
    return BadInput(
        "Expected a share such as 2/8, the second of eight, counted from 1. Received: "
        f"{received}."
    )
