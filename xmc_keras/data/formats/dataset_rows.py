"""Data sets of the Hugging Face `datasets` package."""

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.columns import Columns, row_error
from xmc_keras.data.formats.document import Document, is_usable, refuse


class DatasetRows:
    """Documents of a `datasets.Dataset`, or of another iterable of dicts.

    Integers in the label column become names if the feature of the column has names
    (`ClassLabel`).

    Args:
        dataset: iterable of dicts, one per row, with `column_names`. It may be streamed
            (`IterableDataset`).
        columns: optional `Columns`. Defaults to `Columns()`.
        skip: optional callable. Called with the `BadInput` of a document that cannot be
            used, which is left out. Defaults to `None`: the error is raised.

    Attributes:
        share: float in [0, 1]. Fraction of the rows that has been read, if their number
            is known.

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
                value = _to_names(value, label_names)
            found = self.columns.names(value)
            if text is None or found is None:
                message = row_error(text, found, row.get(labels))
                refuse(self.skip, message, self.path, line)
            elif is_usable(text, found, self.skip, self.path, line):
                yield Document(text, found, line)
        if not line:
            raise BadInput("Expected rows. Received: none.", self.path)


def _class_names(features, column):
    """Class names of a feature, or of the items of a list feature, or `None`."""
    feature = features.get(column) if features else None
    feature = getattr(feature, "feature", feature)
    return getattr(feature, "names", None)


def _to_names(value, names):
    """Replaces class ids by names."""
    values = [value] if type(value) is int else value
    if not isinstance(values, list | tuple):
        return values
    # NaN for an id without a name: `Columns.names` refuses it.
    return [
        names[v] if type(v) is int and 0 <= v < len(names) else float("nan")
        for v in values
    ]
