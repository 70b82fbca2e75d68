"""Hits: predictions that are right."""

import numpy as np


def find_hits(top, relevant):
    """Whether each prediction is a label of its document.

    Args:
        top: int array (documents, n). Labels, `-1` pads.
        relevant: csr matrix (documents, labels or more).

    Returns:
        bool array (documents, n), False for pads.

    Example:

    >>> import scipy.sparse
    >>> relevant = scipy.sparse.csr_matrix([[1, 0, 1], [0, 1, 0]])
    >>> find_hits(np.array([[2, -1], [0, 1]]), relevant).tolist()
    [[True, False], [False, True]]
    """
    rows = np.arange(len(top))[:, None] + np.zeros_like(top)
    found = relevant[rows.ravel(), np.maximum(top, 0).ravel()]
    return (np.asarray(found).reshape(top.shape) > 0) & (top >= 0)
