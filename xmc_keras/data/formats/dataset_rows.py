"""Data sets of the Hugging Face package `datasets`."""

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.columns import Columns, row_error
from xmc_keras.data.formats.document import Document, refuse, usable


class DatasetRows:
    """Documents of a `datasets.Dataset`, or of whatever yields dictionaries likewise.

    Integers in the column of labels become names where the column's feature has them
    (`ClassLabel`).

    Args:
        dataset: iterable of dictionaries, a row each, with `column_names`; a streamed
            one (`IterableDataset`) will do.
        columns: optional `Columns`. Defaults to those it finds by itself.
        skip: optional callable. Documents that cannot be used are left out, and this
            is called with the `BadInput` that says so. Defaults to `None`: it is
            raised.

    Attributes:
        share: float in [0, 1]. Of the rows, what has been read, where their number is
            known.

    Raises:
        BadInput: a column is missing, there are no rows, or, without `skip`, a document
            cannot be used. A document's line is its row, from 1.

    Example:

    >>> class Rows(list):
    ...     column_names = ["text", "label"]
    >>> rows = Rows([{"text": "red rose", "label": ["warm", "plant"]}])
    >>> [(document.text, document.labels) for document in DatasetRows(rows)]
    [('red rose', ['warm', 'plant'])]
    """

    def __init__(self, dataset, columns=None, skip=None):
        self.dataset, self.columns, self.skip = dataset, columns or Columns(), skip
        self.path = "data set"
        self.share = 0.0

    def __iter__(self):
        names = list(self.dataset.column_names or [])
        texts, labels = self.columns.choose(names, self.path)
        label_names = _class_names(getattr(self.dataset, "features", None), labels)
        total = len(self.dataset) if hasattr(self.dataset, "__len__") else None
        line = 0
        for line, row in enumerate(self.dataset, 1):
            if total:
                self.share = line / total
            text = self.columns.join([row.get(name) for name in texts])
            value = row.get(labels)
            if label_names is not None:
                value = _named(value, label_names)
            found = self.columns.names(value)
            if text is None or found is None:
                message = row_error(text, found, row.get(labels))
                refuse(self.skip, message, self.path, line)
            elif usable(text, found, self.skip, self.path, line):
                yield Document(text, found, line)
        if not line:
            raise BadInput("Expected rows. Received: none.", self.path)


def _class_names(features, column):
    """The names that a feature, or that of a list's items, has."""
    feature = features.get(column) if features else None
    feature = getattr(feature, "feature", feature)
    return getattr(feature, "names", None)


def _named(value, names):
    values = [value] if type(value) is int else value
    if not isinstance(values, list | tuple):
        return values
    # An id without a name stays what is no label.
    return [
        names[v] if type(v) is int and 0 <= v < len(names) else float("nan")
        for v in values
    ]
