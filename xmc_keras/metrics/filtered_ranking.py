"""Filtering of rankings, for data sets with filter files."""

import numpy as np


def filter_ranking(top, filtered, scores=None):
    """Drops filtered labels from a ranking and moves the others up.

    Same as the evaluation of the Extreme Classification Repository, which removes the
    scores of filtered (document, label) pairs before it looks for the highest ones. A
    document has one prediction fewer for each label dropped.

    Args:
        top: int array (num_documents, n). Label ids, best first, `-1` pads.
        filtered: csr matrix (num_documents, num_labels), nonzero where a label is
            dropped, such as the result of `encode_filtered_labels`; `None` drops none.
        scores: optional float array (num_documents, n), reordered like `top`, with 0
            for the new pads.

    Returns:
        int array (num_documents, n), with `-1` at the end of rows that lost labels;
        with `scores`, a pair of such arrays.

    Raises:
        ValueError: `filtered` has another number of rows.

    Example:

    >>> import scipy.sparse
    >>> filtered = scipy.sparse.csr_matrix([[0, 0, 0, 1], [0, 0, 0, 0]])
    >>> filter_ranking(np.array([[3, 1, 0], [3, 2, 1]]), filtered).tolist()
    [[1, 0, -1], [3, 2, 1]]

    Source: `_filter` of pyxclib, and the pages of the LF sets in the Repository.
    """
    top = np.array(top)
    arrays = [top] if scores is None else [top, np.array(scores)]
    if filtered is not None:
        if filtered.shape[0] != len(top):
            raise ValueError(
                f"Expected `filtered` of {len(top)} rows, one per row of `top`. "
                f"Received: {filtered.shape[0]}."
            )
        # Few documents have filtered labels: the others are skipped.
        rows = np.flatnonzero(np.diff(filtered.indptr))
        dropped = _is_filtered(filtered[rows], top[rows])  # (rows, n)
        order = np.argsort(dropped, axis=1, kind="stable")
        dropped = np.take_along_axis(dropped, order, axis=1)
        for array, pad in zip(arrays, (-1, 0)):
            reordered = np.take_along_axis(array[rows], order, axis=1)
            array[rows] = np.where(dropped, pad, reordered)
    return top if scores is None else tuple(arrays)


def _is_filtered(filtered, top):
    """Whether each prediction is a filtered pair: bool (rows, n)."""
    # (document, label) pairs as single integers.
    width = max(filtered.shape[1], top.max(initial=-1) + 1)
    rows, columns = filtered.nonzero()
    pairs = np.arange(len(top))[:, None] * np.int64(width) + top
    return np.isin(pairs, rows * np.int64(width) + columns) & (top >= 0)
