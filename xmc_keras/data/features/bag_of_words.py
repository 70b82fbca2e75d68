"""Sparse document features with their label matrix."""

import dataclasses
import logging

import numpy as np
import scipy.sparse

logger = logging.getLogger(__name__)


@dataclasses.dataclass(eq=False)
class BagOfWords:
    """Sparse features of documents and their labels, checked.

    Returned by `read_features`, or created from two matrices in memory, such as those
    of scikit-learn. The features are neither scaled nor normalised.

    Args:
        features: sparse matrix or array (documents, num_features). Converted to a
            float32 csr matrix with sorted indices; duplicate entries are summed.
        label_matrix: sparse matrix or array (documents, num_labels). Converted to a
            float32 csr matrix with 1 for every nonzero value.
        path, labels_path: optional strings. The files they were read from.
        first_line: optional int. Line of the first document in both files, if they
            have lines.

    Attributes:
        num_features, num_labels: int.
        num_unused_labels: int. Labels without documents.
        num_empty: int. Documents without features.
        num_unlabelled: int. Documents without labels.

    Raises:
        ValueError: the numbers of rows differ, or a value is not finite.

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
                "Expected `features` and `label_matrix` with one row per document "
                f"each. Received: {rows[0]} and {rows[1]} rows."
            )
        self.num_features = self.features.shape[1]
        self.num_labels = self.label_matrix.shape[1]
        used = len(np.unique(self.label_matrix.indices))
        self.num_unused_labels = self.num_labels - used
        self.num_empty = _count_empty_rows(self.features)
        self.num_unlabelled = _count_empty_rows(self.label_matrix)
        logger.info(
            "%d documents, %d without features, %d without labels; %d features; %d "
            "labels, %d without documents.",
            *(len(self), self.num_empty, self.num_unlabelled),
            *(self.num_features, self.num_labels, self.num_unused_labels),
        )

    def __len__(self):
        return self.features.shape[0]


def canonicalize(matrix, name):
    """Converts a matrix to a canonical float32 csr matrix of finite numbers.

    Args:
        matrix: sparse matrix or array.
        name: string. Name of the argument in error messages.

    Returns:
        csr matrix, indices sorted, duplicate entries summed.

    Raises:
        ValueError: a value is not a finite number in float32.
    """
    # SciPy would accept values that are not numbers, and fail later.
    if getattr(matrix, "dtype", np.dtype(float)).kind not in "fiub":
        raise ValueError(f"Expected `{name}` of numbers. Received: {matrix.dtype}.")
    with np.errstate(over="ignore"):
        matrix = scipy.sparse.csr_matrix(matrix, dtype=np.float32)
    matrix.check_format(full_check=True)
    invalid = np.flatnonzero(~np.isfinite(matrix.data))
    if len(invalid):
        row = np.searchsorted(matrix.indptr, invalid[0], "right") - 1
        raise ValueError(
            f"Expected `{name}` of finite numbers in float32. Received: "
            f"{matrix.data[invalid[0]]} in row {row} (from 0)."
        )
    matrix.sum_duplicates()  # also sorts the indices
    return matrix


def _count_empty_rows(matrix):
    return int(np.count_nonzero(np.diff(matrix.indptr) == 0))
