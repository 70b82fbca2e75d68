"""Label names and their ids."""

import itertools
from pathlib import Path

import numpy as np
import scipy.sparse

from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput


class LabelSet:
    """Label names in a fixed order; the position of a name is its id.

    The set is made from the training split alone. A label that occurs only in other
    splits is unknown: no model can predict it, yet it is relevant. `encode()` gives it
    a column after those of the known labels, so that metrics count it as missed.

    Args:
        names: iterable of strings, in the order of their ids.
        titles: optional dictionary from names to titles, what people see in place of
            names such as URIs. Those of other labels are left out, and so are empty
            ones; white space is normalised to single spaces. Defaults to `None`, no
            titles.

    Attributes:
        names: list of strings.
        titles: dictionary from names to titles.

    Raises:
        ValueError: there is no name, or a name is repeated, empty, not a string,
            surrounded by white space, contains a newline or cannot be encoded in UTF-8;
            or a title is not a string, or cannot be encoded.

    Example:

    >>> label_set = LabelSet.from_labels([["sea", "sky"], ["air", "sea"]])
    >>> label_set.names
    ['air', 'sea', 'sky']
    >>> label_set.id("sky")
    2
    >>> label_set.encode([["sky", "air", "sky"], ["mud"]]).toarray().tolist()
    [[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    >>> label_set.unknown([["sky"], ["sea", "mud"]])
    [(1, 'mud')]
    >>> label_set = LabelSet(["x:1", "x:2"], titles={"x:1": "Sea"})
    >>> label_set.title("x:1"), label_set.title("x:2")
    ('Sea', 'x:2')
    """

    def __init__(self, names, titles=None):
        self._ids = {}
        for name in names:
            if problem := _problem(name, self._ids):
                raise ValueError(f"{problem} Received: {name!r}.")
            self._ids[name] = len(self._ids)
        if not self._ids:
            raise ValueError("Expected at least one label name. Received: none.")
        self.names = list(self._ids)
        titles = {n: _one_line(x) for n, x in (titles or {}).items() if n in self._ids}
        self.titles = {n: titles[n] for n in self.names if titles.get(n)}

    @classmethod
    def from_labels(cls, labels, titles=None):
        """Creates the set of all labels of documents, sorted as strings.

        Args:
            labels: list of lists of strings. The label names of each document.
            titles: see the class.
        """
        _check_nested(labels)
        return cls(sorted(set(itertools.chain.from_iterable(labels))), titles)

    def __len__(self):
        return len(self.names)

    def id(self, name: str) -> int:
        """Returns the id of a name; raises `ValueError` if it is not in the set."""
        if name not in self._ids:
            raise ValueError(
                f"Expected one of the {len(self)} names of the label set. "
                f"Received: {name!r}."
            )
        return self._ids[name]

    def title(self, name: str) -> str:
        """The title of a name, or the name itself if it has none."""
        return self.titles.get(name, name)

    def encode(self, labels) -> scipy.sparse.csr_matrix:
        """Encodes label names as a label matrix.

        Args:
            labels: list of lists of strings. The label names of each document; a
                name repeated within a document counts once.

        Returns:
            float32 csr matrix (num_documents, width) of ones, indices sorted. Column
            `i` is the label with id `i`. Labels not in the set get the columns from
            `len(self)` on, in order of first occurrence: `width` is `len(self)` plus
            their number.
        """
        _check_nested(labels)
        ids = dict(self._ids)
        columns = [
            ids.setdefault(name, len(ids))
            for name in itertools.chain.from_iterable(labels)
        ]
        width = len(ids)
        # One integer for each (document, label) pair: np.unique both drops repeated
        # labels and sorts the indices of each row.
        lengths = np.array([len(names) for names in labels], np.int64)
        rows = np.repeat(np.arange(len(labels)), lengths)
        pairs = rows * width + np.array(columns, np.int64)
        rows, columns = np.divmod(np.unique(pairs), width)
        starts = np.searchsorted(rows, np.arange(len(labels) + 1))
        return scipy.sparse.csr_matrix(
            (np.ones(len(columns), np.float32), columns, starts),
            shape=(len(labels), width),
        )

    def unknown(self, labels) -> list[tuple[int, str]]:
        """Lists (document index, name) of each document's labels not in the set."""
        _check_nested(labels)
        return [
            (index, name)
            for index, names in enumerate(labels)
            for name in dict.fromkeys(names)
            if name not in self._ids
        ]

    def save(self, path):
        """Writes one name per line, in UTF-8, atomically."""
        _write_lines(path, self.names)

    def save_titles(self, path):
        """Writes a line per name: its title, empty without one. For `read_titles`."""
        _write_lines(path, [self.titles.get(name, "") for name in self.names])

    @classmethod
    def load(cls, path):
        """Reads a file written by `save()`.

        Raises:
            BadInput: the file is missing or has another content. The message names the
                path and the line.
        """
        try:
            lines = Path(path).read_bytes().split(b"\n")
        except OSError as error:
            raise BadInput(
                "Expected a file of label names, as written by LabelSet.save. "
                f"Received: {error.strerror}.",
                path,
            ) from None
        if not lines[-1]:
            del lines[-1]
        if not lines:
            raise BadInput(
                "Expected one label name per line. Received: an empty file. "
                "Restore the file, or train the run again.",
                path,
            )
        names = {}
        for number, line in enumerate(lines, 1):
            try:
                name = line.removesuffix(b"\r").decode()
            except UnicodeDecodeError as error:
                raise BadInput(
                    "Expected a label name in UTF-8. Received: an invalid byte at "
                    f"offset {error.start} of the line. Restore the file.",
                    path,
                    number,
                ) from None
            if problem := _problem(name, names):
                raise BadInput(
                    f"{problem} Received: {name!r}. Restore the file.", path, number
                )
            names[name] = number
        return cls(names)


def _write_lines(path, lines):
    with atomic_write(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def read_titles(path, names):
    """Reads a file of `LabelSet.save_titles`.

    Args:
        path: string or path.
        names: list of strings, those that the titles were written for.

    Returns:
        Dictionary from names to titles, without those that have none.

    Raises:
        BadInput: the file has another number of lines, or is not UTF-8.
    """
    try:
        titles = Path(path).read_bytes().decode().split("\n")
    except UnicodeDecodeError as error:
        received = f"an invalid byte at offset {error.start}"
        raise BadInput(f"Expected titles in UTF-8. Received: {received}.", path)
    if len(titles) != len(names) + 1:
        raise BadInput(
            f"Expected a title per line for {len(names)} labels. Received: "
            f"{len(titles) - 1} lines.",
            path,
            remedy="Restore the file.",
        )
    return {name: title for name, title in zip(names, titles) if title}


def _problem(name, seen):
    """Why `name` cannot follow the names `seen`, as a sentence; `None` if it can."""
    if not isinstance(name, str):
        return "Expected label names that are strings."
    if not name or name != name.strip() or "\n" in name:
        return "Expected a label name without white space around it or newlines in it."
    if name in seen:
        return "Expected each label name once."
    # Checked here, not only when the set is saved.
    if _is_lone(name):
        return "Expected a label name that UTF-8 can encode."
    return None


def _is_lone(text):
    """Whether a text has a lone surrogate: only these UTF-8 cannot encode."""
    return not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)


def _one_line(title):
    """A title with single spaces; raises `ValueError` if it is none."""
    if not isinstance(title, str) or _is_lone(title):
        raise ValueError(
            "Expected titles that are strings and that UTF-8 can encode. Received: "
            f"{title!r:.60}."
        )
    return " ".join(title.split())


def _check_nested(labels):
    """Raises `ValueError` for a flat list, which would read as one-letter labels."""
    if isinstance(labels, str) or any(isinstance(names, str) for names in labels):
        raise ValueError(
            "Expected a list of label names for each document. Received: a string."
        )
