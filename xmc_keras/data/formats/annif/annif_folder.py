"""Folders of documents as in Annif: a text in one file, its subjects in another."""

import json
from pathlib import Path

from xmc_keras.data.formats.document import Document, TextRows, is_usable, one_space
from xmc_keras.data.formats.tables.label_cell import parse_label_cell
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import TextFile

ENDINGS = (".tsv", ".key")


class AnnifFolder:
    r"""Documents of a folder with a text file and a file of subjects for each.

    The subjects of `a.txt` are in `a.tsv`, a URI in angle brackets, a tab and the label
    on each line, or in `a.key`, a label on each line. A document may also be one JSON
    object, `a.json`, with `text` and `subjects`, a list of objects with `uri`, `label`
    or both. The label is the name; without one, the URI is.

    Args:
        folder: string or path.
        skip: optional callable. Called with the `BadInput` of a document that cannot be
            used, which is left out. Defaults to `None`: the error is raised.
        columns: optional `Columns`. With its `uris` the URI is the name, if there is
            one, and its `titles` get the label.

    Attributes:
        path: the text file that is being read.
        share: float in [0, 1]. Fraction of the documents that has been read.

    Raises:
        BadInput: there are no documents, or, without `skip`, one has no text, no
            subjects or invalid UTF-8. A document's line is its number, from 1, in the
            order of the names.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("red rose\n")
    ...     _ = Path(folder, "a.tsv").write_text("<http://x/1>\tplant\n")
    ...     [(document.text, document.labels) for document in AnnifFolder(folder)]
    [('red rose', ['plant'])]

    Reference: https://github.com/NatLibFi/Annif/wiki/Document-corpus-formats
    """

    def __init__(self, folder, skip=None, columns=None):
        self.folder, self.skip = Path(folder), skip
        self.titles = columns.titles if columns and columns.uris else None
        self.path, self.share = self.folder, 0.0

    def __iter__(self):
        pairs = find_pairs(self.folder)
        if not pairs:
            raise BadInput(
                "Expected a text file and a file of subjects for each document, such "
                "as a.txt and a.tsv or a.key, or a.json with both. Received: none.",
                self.folder,
            )
        for number, (self.path, subjects) in enumerate(pairs, 1):
            self.share = number / len(pairs)
            try:
                with TextFile(self.path) as file:
                    text = b"".join(file).decode().strip()
                if subjects is None:
                    text, labels = self._parse(text)
                else:
                    rows = TextRows(subjects) if subjects.stat().st_size else ()
                    labels = [_name(row, self.titles) for _, row in rows if row.strip()]
            except UnicodeDecodeError as error:
                self._refuse(BadInput(f"Expected UTF-8. Received: {error}.", self.path))
            except BadInput as error:
                self._refuse(error)
            else:
                if is_usable(text, labels, self.skip, self.path, None):
                    yield Document(text, labels, number)

    def _parse(self, content):
        """The text and the labels of a JSON object."""
        try:
            found = json.loads(content)
            text, subjects = found["text"], found["subjects"]
        except (ValueError, KeyError, TypeError, RecursionError):
            text, subjects = None, None
        labels = parse_label_cell(subjects, titles=self.titles)
        if not isinstance(text, str) or labels is None:
            raise BadInput(
                "Expected a JSON object with a text and a list of subjects. Received: "
                f"{content[:60]!r}.",
                self.path,
            )
        return text.strip(), labels

    def _refuse(self, error):
        if self.skip is None:
            raise error
        self.skip(error)


def find_pairs(folder):
    """The text files of a folder that have a file of subjects, and those files.

    Args:
        folder: path.

    Returns:
        list of pairs of paths, in the order of the names; then files of a JSON object
        with both, with `None` for the other one.
    """
    pairs = [
        (path, subjects)
        for path in sorted(Path(folder).glob("*.txt"))
        if (subjects := _subjects(path)) is not None
    ]
    whole = sorted(Path(folder).glob("*.json"))
    if whole and _has_subjects(whole[0]):
        pairs += [(path, None) for path in whole]
    return pairs


def _subjects(path):
    paths = [path.with_suffix(ending) for ending in ENDINGS]
    return next((path for path in paths if path.exists()), None)


def _has_subjects(path):
    try:
        return "subjects" in json.loads(path.read_bytes())
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def _name(row, titles):
    """The name of a subject: the first cell that is no URI, or else the URI."""
    uri = label = ""
    for cell in filter(None, map(one_space, row.split("\t"))):
        if cell.startswith("<") and cell.endswith(">"):
            uri = cell[1:-1]
        elif "://" in cell and not uri:
            uri = cell
        else:
            label = cell
            break
    if titles is None or not uri:
        return label or uri
    if label:
        titles.setdefault(uri, label)
    return uri
