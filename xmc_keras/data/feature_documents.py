"""Documents given as weighted features instead of texts."""

import dataclasses
import logging
import operator
from pathlib import Path

import numpy as np
import scipy.sparse
from sklearn.preprocessing import normalize

from xmc_keras.data.document_groups import find_groups, list_groups, read_groups
from xmc_keras.data.features.read_features import read_features
from xmc_keras.data.filters import leave_out
from xmc_keras.data.formats.filter_pairs import FilterPairs
from xmc_keras.data.formats.find_format import find_existing
from xmc_keras.files.bad_input import BadInput

logger = logging.getLogger(__name__)


@dataclasses.dataclass(eq=False)
class FeatureDocuments:
    """Rows of features with their label names and source lines.

    The counterpart of `Documents`. The name of a label is its id in the file.

    Args:
        features: float32 csr matrix (documents, num_features), rows of norm 1; a
            document without features has a zero row.
        labels: list of lists of strings. The label names of each document.
        lines: list of ints or `None`. The line of each document in both files, from 1;
            `None` if the files have no lines.
        texts_path: string. The file that the features were read from.
        labels_path: string. The file that the labels were read from.
        skipped: int. Number of documents left out. Defaults to `0`.
        filtered, filter_path, weights, groups: see `Documents`.

    Attributes:
        num_features: int.
        texts: the features, for code that handles both kinds of documents.

    Example:

    >>> rows = scipy.sparse.csr_matrix([[0.6, 0.8], [0.0, 1.0]])
    >>> documents = FeatureDocuments(rows, [["7"], ["3"]], [1, 2], "t.txt", "t.txt")
    >>> documents.subset([1]).texts.toarray().tolist()
    [[0.0, 1.0]]
    """

    features: scipy.sparse.csr_matrix
    labels: list[list[str]]
    lines: list[int | None]
    texts_path: str
    labels_path: str
    skipped: int = 0
    filtered: list | None = None
    filter_path: str | None = None
    weights: np.ndarray | None = None
    groups: list | None = None

    def __post_init__(self):
        if self.groups is not None:
            self.groups = list_groups(self.groups, len(self))

    def __len__(self):
        return self.features.shape[0]

    @property
    def num_features(self):
        return self.features.shape[1]

    @property
    def texts(self):
        return self.features

    def subset(self, indices) -> "FeatureDocuments":
        """Returns the documents at `indices` (integers, not a mask), in that order."""
        indices = [operator.index(index) for index in indices]
        return dataclasses.replace(
            self,
            features=self.features[indices],
            labels=[self.labels[index] for index in indices],
            lines=[self.lines[index] for index in indices],
            filtered=self.filtered and [self.filtered[index] for index in indices],
            weights=None if self.weights is None else self.weights[indices],
            groups=self.groups and [self.groups[index] for index in indices],
        )


def read_feature_documents(
    folder, part, skip_bad_lines=False, num_features=None, groups=None
):
    """Reads one part of a data set of features, for training and evaluation.

    Rows are scaled to norm 1, as an exported model does with the rows of a request. If
    the folder of the test part has a file `filter_labels_test.txt` of the Extreme
    Classification Repository, `filtered` holds the labels that evaluation leaves out.

    Args:
        folder, part, num_features: see `read_features`.
        skip_bad_lines: bool. Whether to leave out, count and log documents without a
            label; otherwise the first one raises `BadInput`. Defaults to `False`.
        groups: optional string. A file of the folder with the group of each document,
            one per line and without a header. Defaults to `None`, no groups.

    Returns:
        `FeatureDocuments`, at least one.

    Raises:
        BadInput: see `read_features`; or a document has no label, or the filter file is
            damaged.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.txt")
    ...     _ = path.write_text("2 3 9\\n5,7 0:3 2:4\\n7 1:1\\n")
    ...     documents = read_feature_documents(folder, "train")
    >>> documents.labels, documents.features.toarray().round(1).tolist()
    ([['5', '7'], ['7']], [[0.6..., 0.0, 0.8...], [0.0, 1.0, 0.0]])
    """
    data = read_features(folder, part, num_features)
    if not data.features.shape[1]:
        raise BadInput("Expected at least one feature. Received: none.", data.path)
    rows = data.label_matrix
    lines = [None] * len(data)
    if data.first_line is not None:
        lines = list(range(data.first_line, data.first_line + len(data)))
    unlabelled = np.flatnonzero(np.diff(rows.indptr) == 0)
    error = None
    if len(unlabelled):
        error = BadInput(
            f"Expected a label for each document. Received: {len(unlabelled)} of "
            f"{len(data)} documents without one, the first at place "
            f"{unlabelled[0] + 1}.",
            data.labels_path,
            lines[unlabelled[0]],
            "Fix them, or pass `skip_bad_lines=True` to leave such documents out.",
        )
        if not skip_bad_lines or len(unlabelled) == len(data):
            raise error
        logger.warning("%s", error)
    names = [str(i) for i in range(rows.shape[1])]
    labels = [
        [names[i] for i in rows.indices[start:end]]
        for start, end in zip(rows.indptr, rows.indptr[1:])
    ]
    data.features.eliminate_zeros()
    documents = FeatureDocuments(
        normalize(data.features, copy=False),
        labels,
        lines,
        data.path,
        data.labels_path,
        skipped=len(unlabelled),
        groups=groups and read_groups(find_groups(folder, groups), len(labels)),
    )
    filter_path = find_existing(Path(data.path).parent, "filter_labels_test.txt")
    if part == "test" and filter_path is not None:
        pairs = FilterPairs(filter_path)
        pairs.check(len(documents))
        filtered = [tuple(map(str, pairs.of(i))) for i in range(len(documents))]
        leave_out(documents, filtered, filter_path)
    if len(unlabelled):
        kept = np.setdiff1d(np.arange(len(documents)), unlabelled)
        documents = documents.subset(kept)
    return documents
