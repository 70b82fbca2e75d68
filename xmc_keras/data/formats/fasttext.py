"""Files of fastText: `__label__x __label__y the text`."""

import re

from xmc_keras.data.formats.document import Document, TextRows, is_usable, refuse
from xmc_keras.data.formats.folder import to_line
from xmc_keras.files.atomic_files import atomic_write

SPACE = " \t\v\f\r\0"  # white space of fastText, less than Unicode's


class FastTextFile:
    r"""Documents of a fastText file.

    As in fastText, a word that begins with the prefix is a label, anywhere in the line.

    Args:
        path: string or path. Plain, `.gz` or `.xz`.
        skip: optional callable. Called with the `BadInput` of a document without text
            or labels or with invalid UTF-8, which is left out. Defaults to `None`: the
            error is raised.
        prefix: string. Prefix of labels. Defaults to `"__label__"`.

    Attributes:
        share: float in [0, 1]. Fraction of the file that has been read.

    Raises:
        BadInput: the file is missing, empty or damaged, or, without `skip`, a document
            cannot be used.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.txt")
    ...     _ = path.write_text("__label__warm __label__plant red rose\n")
    ...     [(document.text, document.labels) for document in FastTextFile(path)]
    [('red rose', ['warm', 'plant'])]
    """

    def __init__(self, path, skip=None, prefix="__label__"):
        self.path, self.skip, self.prefix = path, skip, prefix
        self._rows = TextRows(path, skip)
        self._label = re.compile(f"[{SPACE}]*{re.escape(prefix)}([^{SPACE}]*)")
        self._words = re.compile(f"[{SPACE}]+")

    @property
    def share(self):
        return self._rows.share

    def __iter__(self):
        for line, text in self._rows:
            labels, place = [], 0
            while found := self._label.match(text, place):
                labels.append(found[1])
                place = found.end()
            text = text[place:].lstrip(SPACE)
            if self.prefix in text:
                words = self._words.split(text)
                is_label = [word.startswith(self.prefix) for word in words]
                if any(is_label):
                    start = len(self.prefix)
                    labels += [w[start:] for w, yes in zip(words, is_label) if yes]
                    text = " ".join(w for w, yes in zip(words, is_label) if not yes)
            if not labels:
                message = (
                    "Expected labels. Received: none. They are words that begin with "
                    f"{self.prefix}, and this line begins with {text[:60]!r}."
                )
                refuse(self.skip, message, self.path, line)
            elif not all(label.split() for label in labels):
                message = f"Expected a name after {self.prefix}. Received: none."
                refuse(self.skip, message, self.path, line)
            elif joined := next((n for n in labels if self.prefix in n), None):
                message = (
                    f"Expected white space before each {self.prefix}. Received: "
                    f"{self.prefix + joined[:60]!r}."
                )
                refuse(self.skip, message, self.path, line)
            elif is_usable(text, labels, self.skip, self.path, line):
                yield Document(text, labels, line)


def write_fasttext(documents, path, prefix="__label__"):
    """Writes a file for `FastTextFile`, atomically.

    Args:
        documents: iterable of `Document`.
        path: string or path. Compressed if it ends in `.gz`.
        prefix: string. Prefix of labels. Defaults to `"__label__"`.

    Raises:
        ValueError: a label contains a space or the prefix, or a text contains a
            newline, begins with a space, or has a word that would be read as a label.
    """
    with atomic_write(path) as file:
        for number, (text, labels, *_) in enumerate(documents):
            if any(
                not label or set(label) & set(SPACE) or prefix in label
                for label in labels
            ):
                raise ValueError(
                    f"Expected labels without spaces and without {prefix}. Received: "
                    f"{labels}."
                )
            words = re.split(f"[{SPACE}]", text)
            if not words[0] or any(word.startswith(prefix) for word in words):
                raise ValueError(
                    "Expected a text that begins with a word and has no word with the "
                    f"prefix {prefix}. Received: {text!r:.100}."
                )
            names = "".join(f"{prefix}{label} " for label in labels)
            file.write(to_line(names + text, number == 0))
