"""A ranking without the labels that evaluation leaves out."""

import numpy as np


def filter_ranking(top, filtered, scores=None):
    """Drops labels from a ranking; the next ones move up.

    So does the evaluation of the Extreme Classification Repository: it takes the scores
    of such pairs out before it looks for the best. A document of which labels were
    dropped has as many predictions less.

    Args:
        top: int array (documents, n). Label ids, best first, `-1` pads.
        filtered: csr matrix (documents, labels), nonzero where a label is dropped, as
            of `encode_filtered_labels`; None drops none.
        scores: optional float array (documents, n), which moves likewise. Those of
            pads at the end become 0.

    Returns:
        int array (documents, n), with `-1` at the end of rows that lost labels; with
        `scores` a pair of such arrays.

    Raises:
        ValueError: `filtered` is of other documents.

    Example:

    >>> import scipy.sparse
    >>> filtered = scipy.sparse.csr_matrix([[0, 0, 0, 1], [0, 0, 0, 0]])
    >>> filter_ranking(np.array([[3, 1, 0], [3, 2, 1]]), filtered).tolist()
    [[1, 0, -1], [3, 2, 1]]

    Source: `_filter` of pyxclib, and the pages of the LF sets in the Repository.
    """
    top = np.array(top)
    moved = [top] if scores is None else [top, np.array(scores)]
    if filtered is not None:
        if filtered.shape[0] != len(top):
            raise ValueError(
                f"Expected `filtered` of {len(top)} rows, one a row of `top`. "
                f"Received: {filtered.shape[0]}."
            )
        # Few documents have such labels: the others are not looked at.
        rows = np.flatnonzero(np.diff(filtered.indptr))
        gone = _pairs(filtered[rows], top[rows])  # (rows, n)
        order = np.argsort(gone, axis=1, kind="stable")
        gone = np.take_along_axis(gone, order, axis=1)
        for array, pad in zip(moved, (-1, 0)):
            some = np.take_along_axis(array[rows], order, axis=1)
            array[rows] = np.where(gone, pad, some)
    return top if scores is None else tuple(moved)


def _pairs(filtered, top):
    """Whether each prediction is one of the pairs: bool (documents, n)."""
    width = max(filtered.shape[1], top.max(initial=-1) + 1)
    rows, columns = filtered.nonzero()
    asked = np.arange(len(top))[:, None] * np.int64(width) + top
    return np.isin(asked, rows * np.int64(width) + columns) & (top >= 0)
