"""P@k, nDCG@k, PSP@k, PSnDCG@k, recall@k and F1@k of a whole data set, in NumPy.

The functions share these arguments:

    top: int array (num_documents, columns). Predicted label ids, best first; negative
        ids are pads. A pad is never a hit, a repeated id counts once, at its first
        rank, and if there are fewer than `k` columns the missing ones are pads.
    relevant: sparse matrix (num_documents, width). Nonzero where a document has a
        label. The columns after those of the known labels are labels not seen in
        training: relevant but impossible to predict.
    weight: float array (width,), above 0. Inverse propensities, also of the labels not
        seen in training (their count is 0).
    k: int, at least 1.

They return a fraction between 0 and 1; `ranking_report()` returns percent. Wrong
arguments raise a `ValueError`. The definitions follow the Extreme Classification
Repository and pyxclib (`xclib/evaluation/xc_metrics.py`).
"""

import numpy as np
import scipy.sparse


def precision_at_k(top, relevant, k: int) -> float:
    """P@k: hits among the top `k` divided by `k`, averaged over all documents.

    Documents without a label count as 0. Arguments: see the module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> precision_at_k([[0, 2], [1, 3]], relevant, k=2)
    0.5
    """
    return float(_hits(*_check(top, relevant, k), k).mean())


def ndcg_at_k(top, relevant, k: int) -> float:
    """nDCG@k: gain of the hits over the best possible gain, averaged over documents.

    A hit at rank r has the gain 1 / log2(r + 1). The best possible ranking begins with
    `min(k, labels)` hits. Documents without a label count as 0. Arguments: see the
    module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> round(ndcg_at_k([[0, 2], [1, 3]], relevant, k=2), 4)
    0.622
    """
    top, relevant = _check(top, relevant, k)
    return float(_ndcg_sum(_hits(top, relevant, k), relevant) / len(top))


def psp_at_k(top, relevant, weight, k: int) -> float:
    """PSP@k: total weight of the hits over the best possible total weight.

    Both totals are over all documents, as in pyxclib. The best possible prediction has
    the `k` labels of largest weight of each document. 0 if no document has a label.
    Arguments: see the module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> psp_at_k([[0, 2], [1, 3]], relevant, [1.0, 3.0, 2.0, 4.0], k=2)
    0.625
    """
    top, relevant, weight = _check_weighted(top, relevant, weight, k)
    gains = _gains(_hits(top, relevant, k), top, weight)
    return _ratio(gains.sum(), _best_gains(relevant, weight, k).sum())


def psndcg_at_k(top, relevant, weight, k: int) -> float:
    """PSnDCG@k: PSP@k with weights discounted by rank.

    Normalised as in pyxclib. The gain of a document is the sum of weight /
    log2(rank + 1) over its hits, divided by the unweighted gain of `min(k, labels)`
    hits. The same is computed for the best possible prediction (the `k` labels of
    largest weight, largest first). The result is the ratio of both sums over all
    documents; 0 if no document has a label. Arguments: see the module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> weight = [1.0, 3.0, 2.0, 4.0]
    >>> round(psndcg_at_k([[0, 2], [1, 3]], relevant, weight, k=2), 4)
    0.5038
    """
    top, relevant, weight = _check_weighted(top, relevant, weight, k)
    gains = _gains(_hits(top, relevant, k), top, weight)
    best = _best_gains(relevant, weight, k)
    return _ratio(_ndcg_sum(gains, relevant), _ndcg_sum(best, relevant))


def recall_at_k(top, relevant, k: int | None = None) -> float:
    """Recall@k: hits among the top `k` divided by the number of a document's labels.

    Averaged over the documents that have a label; 0 if there is none. `k=None` uses all
    columns. Arguments: see the module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> recall_at_k([[0, 2], [1, 3]], relevant)
    0.75
    """
    top, relevant = _check(top, relevant, 1 if k is None else k)
    top = top[:, :k]
    labels = np.diff(relevant.indptr)
    hits = _hits(top, relevant, top.shape[1]).sum(axis=1)
    return _ratio((hits / np.maximum(labels, 1)).sum(), np.count_nonzero(labels))


def f1_at_k(top, relevant, k: int) -> float:
    """F1@k: twice the hits over the predictions and labels of a document together.

    The predictions are the top `k` that are no pads, each counted once. Averaged over
    all documents; those with neither predictions nor labels count as 0. The same as
    Annif's `F1@5` and scikit-learn's `f1_score(average="samples")`. Arguments: see the
    module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> f1_at_k([[0, 2], [3, -1]], relevant, k=2)
    0.75
    """
    top, relevant = _check(top, relevant, k)
    hits = _hits(top, relevant, k).sum(axis=1)
    ordered = np.sort(top[:, :k], axis=1)
    new = np.diff(ordered, axis=1, prepend=-1) > 0  # a pad is new to none
    sizes = (new & (ordered >= 0)).sum(axis=1) + np.diff(relevant.indptr)
    return float((2 * hits / np.maximum(sizes, 1)).mean())


def ranking_report(top, relevant, weight, ks=(1, 3, 5)) -> dict[str, float]:
    """Computes P, nDCG, PSP and PSnDCG for several `k`, in percent.

    Args:
        top, relevant, weight: see the module.
        ks: iterable of ints. Defaults to `(1, 3, 5)`.

    Returns:
        dict of floats, not rounded: `P@1`, `P@3`, ..., `nDCG@1`, ..., `PSP@1`, ...,
        `PSnDCG@5`.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> ranking_report([[0, 2], [1, 3]], relevant, [2.0, 6.0, 1.0, 2.0], ks=[1])
    {'P@1': 50.0, 'nDCG@1': 50.0, 'PSP@1': 25.0, 'PSnDCG@1': 25.0}
    """
    ks = list(ks)
    if not ks:
        raise ValueError("Expected at least one k. Received: ks=[].")
    for k in ks:
        top, relevant, weight = _check_weighted(top, relevant, weight, k)
    # Computed for the largest k; smaller k use the first columns.
    hits = _hits(top, relevant, max(ks))
    gains = _gains(hits, top, weight)
    best = _best_gains(relevant, weight, max(ks))
    metrics = {
        "P": lambda k: hits[:, :k].mean(),
        "nDCG": lambda k: _ndcg_sum(hits[:, :k], relevant) / len(top),
        "PSP": lambda k: _ratio(gains[:, :k].sum(), best[:, :k].sum()),
        "PSnDCG": lambda k: _ratio(
            _ndcg_sum(gains[:, :k], relevant), _ndcg_sum(best[:, :k], relevant)
        ),
    }
    return {
        f"{name}@{k}": 100 * float(metric(k))
        for name, metric in metrics.items()
        for k in ks
    }


def _check(top, relevant, k):
    """Returns `top` as an array and `relevant` as a canonical csr of ones."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"Expected `k` as an integer above 0. Received: k={k!r}.")
    top = np.asarray(top)
    if top.ndim != 2 or top.dtype.kind not in "iu" or not len(top):
        raise ValueError(
            "Expected `top` as integer label ids (num_documents, columns) with at "
            f"least one document. Received: shape={top.shape}, dtype={top.dtype}."
        )
    if not scipy.sparse.issparse(relevant) or relevant.shape[0] != len(top):
        raise ValueError(
            f"Expected `relevant` as a sparse matrix of {len(top)} rows, one per row "
            f"of `top`. Received: {type(relevant).__name__} of "
            f"shape={getattr(relevant, 'shape', None)}."
        )
    relevant = scipy.sparse.csr_matrix(relevant)
    if not relevant.has_canonical_format or not relevant.data.all():
        relevant = relevant.copy()
        relevant.sum_duplicates()
        relevant.eliminate_zeros()
    if top.size and top.max() >= relevant.shape[1]:
        raise ValueError(
            f"Expected ids in `top` below {relevant.shape[1]}, the number of columns "
            f"of `relevant`. Received: {top.max()}."
        )
    return top, relevant


def _check_weighted(top, relevant, weight, k):
    top, relevant = _check(top, relevant, k)
    weight = np.asarray(weight, dtype=np.float64)
    if weight.shape != relevant.shape[1:]:
        raise ValueError(
            f"Expected a `weight` for each of the {relevant.shape[1]} columns of "
            f"`relevant`. Received: shape={weight.shape}."
        )
    if not np.all((weight > 0) & (weight < np.inf)):
        raise ValueError(
            "Expected each `weight` finite and above 0. Received: "
            f"{weight[~((weight > 0) & (weight < np.inf))][0]}."
        )
    return top, relevant, weight


def _hits(top, relevant, k):
    """Which of the top `k` predictions are hits: bool (num_documents, k)."""
    num_documents, width = relevant.shape
    # (document, label) pairs as single integers, ascending in a canonical csr. The
    # extra last one keeps the index of a failed search within the array.
    pairs = np.repeat(np.arange(num_documents), np.diff(relevant.indptr)) * width
    pairs = np.append(pairs + relevant.indices, num_documents * width)
    top = top[:, :k].astype(np.int64)
    rows = np.arange(num_documents)[:, None]
    predicted = np.where(top < 0, -1, rows * width + top)  # (num_documents, columns)
    found = np.flatnonzero(pairs[np.searchsorted(pairs, predicted)] == predicted)
    # Only a hit could be counted twice, so only hits are searched for repeats.
    _, first = np.unique(predicted.ravel()[found], return_index=True)
    rows, ranks = np.divmod(found[first], max(top.shape[1], 1))
    hits = np.zeros((num_documents, k), bool)
    hits[rows, ranks] = True
    return hits


def _gains(hits, top, weight):
    """Weights of the hits: float64 (num_documents, k), 0 where there is no hit."""
    gains = np.zeros(hits.shape)
    gains[hits] = weight[top[:, : hits.shape[1]][hits[:, : top.shape[1]]]]
    return gains


def _best_gains(relevant, weight, k):
    """The `k` largest weights of each document's labels: float64 (num_documents, k)."""
    rows = np.repeat(np.arange(relevant.shape[0]), np.diff(relevant.indptr))
    weights = weight[relevant.indices]
    # Sorted within each row, so the rank is the distance from the start of the row.
    weights = weights[np.lexsort((-weights, rows))]
    ranks = np.arange(len(rows)) - relevant.indptr[rows]
    best = np.zeros((relevant.shape[0], k))
    best[rows[ranks < k], ranks[ranks < k]] = weights[ranks < k]
    return best


def _ndcg_sum(gains, relevant):
    """Sum over documents of the discounted gains, each normalised by the best DCG."""
    k = gains.shape[1]
    discount = 1 / np.log2(np.arange(k) + 2)  # (k,)
    best = np.append(np.inf, discount.cumsum())  # no label: 0 / inf
    return (gains @ discount / best[np.minimum(np.diff(relevant.indptr), k)]).sum()


def _ratio(part, whole):
    return float(part / whole) if whole > 0 else 0.0
