"""Raw text files of the Extreme Classification Repository: one JSON object per line."""

import json

from xmc_keras.data.formats.document import Document, TextRows, is_usable, refuse
from xmc_keras.data.formats.label_list import id_error, name_labels
from xmc_keras.files.atomic_files import atomic_write

FIELDS = ("title", "content")


class JsonLines:
    r"""Documents of `trn.json.gz` or `tst.json.gz`.

    The text is the title and the content, joined by a space. The labels are
    `target_ind`. Pairs of a filter file (a document that is itself a label, for
    example) are removed from the labels and become `filtered`, because the
    Repository's evaluation removes them from both the relevant and the predicted
    labels.

    Args:
        path: string or path. Plain, `.gz` or `.xz`.
        names: optional list of strings. The label names. Defaults to the label ids.
        filter_pairs: optional `FilterPairs`.
        skip: optional callable. Called with the `BadInput` of a document that cannot be
            used, which is left out. Defaults to `None`: the error is raised.

    Attributes:
        share: float in [0, 1]. Fraction of the file that has been read.

    Raises:
        BadInput: the file is missing, empty or damaged, the filter file belongs to
            other documents, or, without `skip`, a line is not such an object or has an
            id without a name.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "trn.json")
    ...     row = {"uid": "7", "title": "Rose", "content": "red", "target_ind": [1]}
    ...     _ = path.write_text(json.dumps(row) + "\n")
    ...     [(d.text, d.labels) for d in JsonLines(path, ["tree", "plant"])]
    [('Rose red', ['plant'])]

    Reference: http://manikvarma.org/downloads/XC/XMLRepository.html
    """

    def __init__(self, path, names=None, filter_pairs=None, skip=None):
        self.path, self.names, self.skip = path, names, skip
        self.filter_pairs = filter_pairs
        self._rows = TextRows(path, skip)

    @property
    def share(self):
        return self._rows.share

    def __iter__(self):
        for line, row in self._rows:
            try:
                found = json.loads(row)
                texts = [found.get(field) or "" for field in FIELDS]
                ids = found.get("target_ind")
            except (ValueError, AttributeError, RecursionError):
                found = None
            if found is None or not all(isinstance(text, str) for text in texts):
                message = (
                    'Expected a JSON object with strings "title" and "content" and a '
                    f'list "target_ind". Received: {row[:60]!r}.'
                )
                refuse(self.skip, message, self.path, line)
                continue
            labels = name_labels(ids, self.names) if isinstance(ids, list) else None
            if labels is None:
                message = f"{id_error(self.names)} Received: {str(ids)[:60]}."
                refuse(self.skip, message, self.path, line)
                continue
            filtered = ()
            if self.filter_pairs is not None:
                dropped = set(self.filter_pairs.of(line - 1))
                filtered = name_labels(sorted(dropped), self.names)
                labels = [n for i, n in zip(ids, labels) if i not in dropped]
            text = " ".join(text for text in texts if text)
            if is_usable(text, labels, self.skip, self.path, line):
                yield Document(text, labels, line, tuple(filtered))
        if self.filter_pairs is not None:
            self.filter_pairs.check(self._rows.line)


def write_json_lines(documents, path, names):
    """Writes a file for `JsonLines`, atomically.

    Args:
        documents: iterable of `Document`. The text becomes the content.
        path: string or path. Compressed if it ends in `.gz`.
        names: list of strings. The names of all labels.
    """
    ids = {name: number for number, name in enumerate(names)}
    with atomic_write(path) as file:
        for number, document in enumerate(documents):
            row = {
                "uid": str(number),
                "title": "",
                "content": document.text,
                "target_ind": [ids[name] for name in document.labels],
                "target_rel": [1.0] * len(document.labels),
            }
            file.write((json.dumps(row) + "\n").encode())


def write_label_list(names, path):
    """Writes a file `lbl.json` for `read_label_list`, atomically.

    Args:
        names: list of strings. The names of all labels.
        path: string or path. Compressed if it ends in `.gz`.
    """
    with atomic_write(path) as file:
        for number, name in enumerate(names):
            row = {"uid": str(number), "title": name, "content": ""}
            file.write((json.dumps(row) + "\n").encode())
