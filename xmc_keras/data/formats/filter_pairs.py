"""Filter files of the Extreme Classification Repository."""

from pathlib import Path

from xmc_keras.data.formats.document import TextRows
from xmc_keras.files.bad_input import BadInput


class FilterPairs:
    """(document, label) pairs that evaluation leaves out, both ids from 0.

    Args:
        path: string or path of `filter_labels_train.txt` or `filter_labels_test.txt`.
        num_labels: optional int. Limit of the label ids. Defaults to `None`, no check.

    Raises:
        BadInput: a line is not such a pair. The message names the path and the line.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "filter_labels_test.txt")
    ...     _ = path.write_text("0 3\\n0 5\\n")
    ...     FilterPairs(path).of(0)
    [3, 5]
    """

    def __init__(self, path, num_labels=None):
        self.path, self._labels, self._last = path, {}, (-1, 0)
        # Data sets without such pairs may have an empty file.
        empty = Path(path).exists() and not Path(path).stat().st_size
        for line, text in () if empty else TextRows(path):
            pair = text.split()
            if not pair:
                continue
            fits = len(pair) == 2 and all(
                n.isdecimal() and n.isascii() and len(n) < 19 for n in pair
            )
            document, label = map(int, pair) if fits else (-1, -1)
            if not fits or (num_labels is not None and label >= num_labels):
                raise BadInput(
                    "Expected the ids of a document and a label, from 0"
                    + (f", the label below {num_labels}" if num_labels else "")
                    + f". Received: {text[:60]!r}. Use the filter file of this data "
                    "set.",
                    path,
                    line,
                )
            self._labels.setdefault(document, []).append(label)
            self._last = max(self._last, (document, line))

    def of(self, document):
        """The filtered label ids of a document, a list of ints."""
        return self._labels.get(document, [])

    def check(self, num_documents):
        """Raises `BadInput` if a document id is `num_documents` or larger."""
        document, line = self._last
        if document >= num_documents:
            raise BadInput(
                f"Expected document ids below {num_documents}, the number of "
                f"documents. Received: {document}. Use the filter file of the same "
                "part.",
                self.path,
                line,
            )
