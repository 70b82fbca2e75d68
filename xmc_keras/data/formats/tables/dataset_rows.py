"""Data sets of the Hugging Face `datasets` package."""

from xmc_keras.data.formats.tables.columns import Columns
from xmc_keras.files.bad_input import BadInput


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
        self.columns.note_choice(self.path, texts, labels)
        features = getattr(self.dataset, "features", None)
        # Several label columns are of 0 and 1, whatever their features call these.
        label_names = _class_names(features, labels[0]) if len(labels) == 1 else None
        total = len(self.dataset) if hasattr(self.dataset, "__len__") else None
        line = 0
        for line, row in enumerate(self.dataset, 1):
            if total:
                self.share = line / total
            texts_of = [row.get(name) for name in texts]
            values = named = [row.get(name) for name in labels]
            if label_names is not None:
                named = [_to_names(values[0], label_names)]
            place = self.skip, self.path, line
            group = row.get(self.columns.group)
            found = self.columns.document(
                texts_of, labels, named, *place, values, group
            )
            if found is not None:
                yield found
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
    if len(set(map(str, values))) < len(values):
        return float("nan")  # a vector; `Columns.names` refuses it
    # NaN for an id without a name, too.
    return [
        names[v] if type(v) is int and 0 <= v < len(names) else float("nan")
        for v in values
    ]
