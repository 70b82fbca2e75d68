"""Documents, their checks, and lines of text files: shared by all readers."""

from typing import NamedTuple

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import TextFile

REMEDY = "Fix the line, or pass `skip_bad_lines=True` to leave such documents out."


class Document(NamedTuple):
    """A text with its label names and its place in the file.

    Args:
        text: string, not only white space. In some formats it can contain newlines.
        labels: list of strings, at least one.
        line: int. First line of the document in the file, from 1, or its row, from 1,
            if the format has no lines.
        filtered: sequence of strings. Labels that evaluation removes from both the
            predictions and the relevant labels; from filter files of the Extreme
            Classification Repository. Defaults to `()`.
        group: string. What it has in common with documents that validation takes away
            together. Defaults to `""`, none.

    Example:

    >>> Document("red rose", ["plant"], 1).labels
    ['plant']
    """

    text: str
    labels: list[str]
    line: int
    filtered: tuple = ()
    group: str = ""


def one_space(name):
    r"""Normalises white space in a label name to single spaces.

    Example:

    >>> one_space(" Science\n fiction")
    'Science fiction'
    """
    return " ".join(name.split())


class BadLines:
    """Counts the lines that a reader leaves out, and keeps the first error.

    The error is kept without its remedy, because the line is left out already.

    Pass it to a reader as `skip`.

    Attributes:
        count: int. Number of lines left out.
        first: `BadInput` of the first one, or `None`.

    Example:

    >>> bad_lines = BadLines()
    >>> bad_lines(BadInput("one")), bad_lines(BadInput("two"))
    (None, None)
    >>> bad_lines.count, str(bad_lines.first)
    (2, 'one')
    """

    def __init__(self):
        self.count, self.first = 0, None

    def __call__(self, error):
        self.count += 1
        self.first = self.first or BadInput(error.message, error.path, error.line)


def refuse(skip, message, path, line):
    """Passes a `BadInput` to `skip`, or raises it.

    Args:
        skip: optional callable, such as `BadLines`. `None` raises the error.
        message: string. What was expected and received.
        path, line: file and line of the document.

    Raises:
        BadInput: `skip` is `None`.

    Example:

    >>> refuse(print, "Expected a text. Received: none.", "train.csv", 7)
    train.csv:7: Expected a text. Received: none. Fix the line, or pass
    `skip_bad_lines=True` to leave such documents out.
    """
    error = BadInput(message, path, line, REMEDY)
    if skip is None:
        raise error
    skip(error)


def is_usable(text, labels, skip, path, line):
    """Whether a document has a text and labels, all of valid Unicode.

    Otherwise, the error goes to `refuse`.

    Args:
        text: string.
        labels: list of strings.
        skip, path, line: see `refuse`.

    Example:

    >>> is_usable("sea", ["blue"], None, "train.csv", 1)
    True
    >>> is_usable(" ", ["blue"], lambda error: None, "train.csv", 2)
    False
    """
    if not text or text.isspace():
        problem = "Expected a text. Received: none."
    elif not labels:
        problem = "Expected labels. Received: none."
    elif not (_is_unicode(text) and all(map(_is_unicode, labels))):
        problem = "Expected valid Unicode. Received: a lone surrogate."
    elif any("\0" in label for label in labels):
        problem = "Expected label names without NUL characters. Received: one."
    else:
        return True
    refuse(skip, problem, path, line)
    return False


def _is_unicode(text):
    # Only lone surrogates, which JSON can contain, cannot be encoded.
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class TextRows:
    r"""Lines of a UTF-8 file, plain or compressed, as pairs `(line, text)`.

    Lines end in "\n" or "\r\n"; other line breaks of Unicode are part of the text. A
    byte order mark is removed.

    Args:
        path: string or path.
        skip: optional callable. Called with the `BadInput` of a line that is not
            UTF-8; the line is left out. Defaults to `None`: the error is raised.
        errors: string. See `bytes.decode`. Defaults to `"strict"`.
        ends: bool. Whether texts keep their line ends. Defaults to `False`.

    Attributes:
        share: float in [0, 1]. Fraction of the file that has been read.
        line: int. Number of lines read so far, including those left out.

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
    """Message for a `UnicodeDecodeError` of a line."""
    return (
        f"Expected UTF-8. Received: byte {error.object[error.start]:#x} at offset "
        f"{error.start} of the line, as in Latin-1 or Windows-1252 (convert the file: "
        "iconv -f WINDOWS-1252 -t UTF-8)."
    )
