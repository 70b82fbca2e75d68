"""A document of any format, and lines that are none."""

from typing import NamedTuple

from xmc_keras.bad_input import BadInput
from xmc_keras.files.text_file import TextFile


class Document(NamedTuple):
    """A text with the names of its labels, and where it came from.

    Args:
        text: string, with a character that is no white space. Some formats can hold
            a newline in it.
        labels: list of strings, at least one.
        line: int. Its first line in the file, from 1; or its row, from 1, where a
            format has no lines.
        filtered: sequence of strings. Labels that evaluation leaves out of
            predictions and of what is relevant: of filter files of the Extreme
            Classification Repository. Defaults to none.

    Example:

    >>> Document("red rose", ["plant"], 1).labels
    ['plant']
    """

    text: str
    labels: list[str]
    line: int
    filtered: tuple = ()


def one_space(name):
    r"""A label's name with single spaces for white space of any kind.

    Example:

    >>> one_space(" Science\n fiction")
    'Science fiction'
    """
    return " ".join(name.split())


class BadLines:
    """Counts the lines that are left out, and keeps what is wrong with the first.

    Hand one to a reader as `skip`.

    Attributes:
        count: int.
        first: optional `BadInput`.

    Example:

    >>> bad_lines = BadLines()
    >>> bad_lines(ValueError("one")), bad_lines(ValueError("two"))
    (None, None)
    >>> bad_lines.count, str(bad_lines.first)
    (2, 'one')
    """

    def __init__(self):
        self.count, self.first = 0, None

    def __call__(self, error):
        self.count += 1
        self.first = self.first or error


REMEDY = "Mend the line, or use --skip-bad-lines to leave such documents out."


def refuse(skip, message, path, line):
    """Hands a `BadInput` to `skip`, or raises it.

    Args:
        skip: optional callable, that counts what is left out; None raises.
        message: string. What was expected and received.
        path, line: where.

    Raises:
        BadInput: `skip` is None.

    Example:

    >>> refuse(print, "Expected a text. Received: none.", "train.csv", 7)
    train.csv:7: Expected a text. Received: none. Mend the line, or use
    --skip-bad-lines to leave such documents out.
    """
    error = BadInput(f"{message} {REMEDY}", path, line)
    if skip is None:
        raise error
    skip(error)


def usable(text, labels, skip, path, line):
    """Whether a document has a text and a label that UTF-8 can hold.

    Args:
        text: string.
        labels: list of strings.
        skip, path, line: as of `refuse`, which is told of one that has not.

    Example:

    >>> usable("sea", ["blue"], None, "train.csv", 1)
    True
    >>> usable(" ", ["blue"], lambda error: None, "train.csv", 2)
    False
    """
    if not text or text.isspace():
        problem = "Expected a text. Received: none."
    elif not labels:
        problem = "Expected labels. Received: none."
    elif not (_is_unicode(text) and all(map(_is_unicode, labels))):
        problem = "Expected Unicode. Received: half of a surrogate pair."
    else:
        return True
    refuse(skip, problem, path, line)
    return False


def _is_unicode(text):
    # Nothing but a lone surrogate, which JSON can spell, cannot be encoded.
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
                    refuse(self.skip, utf8_problem(error), self.path, self.line)
        self._file = None
        if self.line == 0:
            raise BadInput("Expected lines. Received: an empty file.", self.path)


def utf8_problem(error):
    """What a `UnicodeDecodeError` of a line comes to."""
    return (
        f"Expected UTF-8. Received: byte {error.object[error.start]:#x} at offset "
        f"{error.start} of the line."
    )
