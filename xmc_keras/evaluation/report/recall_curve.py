"""Recall of right labels by the number of candidates."""

import numpy as np


def compute_recall_curve(ranks, relevant, unreachable=0):
    """Mean share of a document's labels whose rank is below 1, 2, 3, ...

    Args:
        ranks: int array (pairs,), from `RunPredictions`.
        relevant: csr matrix (documents, labels) of these pairs.
        unreachable: int array (documents,), or 0. Labels that were not in training and
            count as missed.

    Returns:
        float array for 1, 2, ... up to the last rank at which a label is found.

    Example:

    >>> import scipy.sparse
    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0], [0, 0, 1]])
    >>> compute_recall_curve(np.array([0, 2, 1]), relevant).tolist()
    [0.25, 0.75, 1.0]
    """
    known = np.diff(relevant.indptr)
    labels = known + unreachable
    share = np.repeat(1 / np.maximum(labels, 1), known)  # (pairs,)
    found = ranks >= 0
    gained = np.bincount(ranks[found], share[found], 1)
    return gained.cumsum() / max(np.count_nonzero(labels), 1)
