"""Documents as rows of weighted features, with their labels."""

import dataclasses
import logging

import numpy as np
import scipy.sparse

logger = logging.getLogger(__name__)


@dataclasses.dataclass(eq=False)
class BagOfWords:
    """Sparse features of documents and their labels, checked.

    What `read_features` returns; or made of two matrices in Python, as scikit-learn
    gives them. Features are left as they are: not scaled, not normalised.

    Args:
        features: sparse matrix or array (documents, num_features). Becomes a csr
            matrix float32 with sorted indices; what comes twice is summed.
        label_matrix: sparse matrix or array (documents, num_labels). Becomes a csr
            matrix float32 with a one for every value that is not zero.
        path, labels_path: optional strings. The files they were read from.
        first_line: optional int. Line of the first document in both, if they have
            lines.

    Attributes:
        num_features, num_labels: int.
        num_unused_labels: int. Labels without a document.
        num_empty: int. Documents without a feature.
        num_unlabelled: int. Documents without a label.

    Raises:
        ValueError: another number of rows, or a value that is not finite.

    Example:

    >>> documents = BagOfWords([[0.0, 0.6, 0.8], [0.0, 0.0, 0.0]], [[0, 1], [0, 1]])
    >>> documents.num_features, documents.num_labels, len(documents)
    (3, 2, 2)
    >>> documents.num_unused_labels, documents.num_empty, documents.num_unlabelled
    (1, 1, 0)
    """

    features: scipy.sparse.csr_matrix
    label_matrix: scipy.sparse.csr_matrix
    path: str | None = None
    labels_path: str | None = None
    first_line: int | None = None

    def __post_init__(self):
        self.features = canonicalize(self.features, "features")
        self.label_matrix = canonicalize(self.label_matrix, "label_matrix")
        self.label_matrix.eliminate_zeros()
        self.label_matrix.data[:] = 1
        rows = self.features.shape[0], self.label_matrix.shape[0]
        if rows[0] != rows[1]:
            raise ValueError(
                "Expected `features` and `label_matrix` with a row a document each. "
                f"Received: {rows[0]} and {rows[1]} rows."
            )
        self.num_features = self.features.shape[1]
        self.num_labels = self.label_matrix.shape[1]
        used = len(np.unique(self.label_matrix.indices))
        self.num_unused_labels = self.num_labels - used
        self.num_empty = _empty_rows(self.features)
        self.num_unlabelled = _empty_rows(self.label_matrix)
        logger.info(
            "%d documents, %d without features, %d without labels; %d features; %d "
            "labels, %d without documents.",
            *(len(self), self.num_empty, self.num_unlabelled),
            *(self.num_features, self.num_labels, self.num_unused_labels),
        )

    def __len__(self):
        return self.features.shape[0]


def canonicalize(matrix, name):
    """A csr matrix float32 of finite numbers, as `BagOfWords` takes them."""
    # SciPy would not see values that are no numbers before it computes with them.
    if getattr(matrix, "dtype", np.dtype(float)).kind not in "fiub":
        raise ValueError(f"Expected `{name}` of numbers. Received: {matrix.dtype}.")
    with np.errstate(over="ignore"):
        matrix = scipy.sparse.csr_matrix(matrix, dtype=np.float32)
    matrix.check_format(full_check=True)
    strange = np.flatnonzero(~np.isfinite(matrix.data))
    if len(strange):
        row = np.searchsorted(matrix.indptr, strange[0], "right") - 1
        raise ValueError(
            f"Expected `{name}` of finite numbers in float32. Received: "
            f"{matrix.data[strange[0]]} in row {row}, counted from 0."
        )
    matrix.sum_duplicates()  # sorts too
    return matrix


def _empty_rows(matrix):
    return int(np.count_nonzero(np.diff(matrix.indptr) == 0))
