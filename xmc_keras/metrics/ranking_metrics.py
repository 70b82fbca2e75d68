"""P@k, nDCG@k, PSP@k, PSnDCG@k and recall@k of a whole data set, in NumPy.

The functions share their arguments, here once for all:

    top: int array (num_documents, columns). Predicted label ids, best first; negative
        ids are pads. A pad never hits, a repeated id counts once, at its first place,
        and columns missing for `k` are pads.
    relevant: sparse matrix (num_documents, width). Nonzero where a document has a
        label. Columns behind those of the labels that can be predicted are labels
        that training never saw: relevant and out of reach.
    weight: float array (width,), above 0. Inverse propensities, for the columns out of
        reach too (their count is 0).
    k: int, at least 1.

They return a fraction between 0 and 1; `ranking_report()` returns percent. Wrong
arguments raise a `ValueError`. The definitions are those of the Extreme
Classification Repository and of pyxclib (`xclib/evaluation/xc_metrics.py`).
"""

import numpy as np
import scipy.sparse


def precision_at_k(top, relevant, k: int) -> float:
    """Returns P@k: hits among the first `k`, over `k`, mean over all documents.

    Documents without a label count, as 0. Arguments: see the module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> precision_at_k([[0, 2], [1, 3]], relevant, k=2)
    0.5
    """
    return float(_hits(*_checked(top, relevant, k), k).mean())


def ndcg_at_k(top, relevant, k: int) -> float:
    """Returns nDCG@k: gain of the hits over the best possible, mean over documents.

    A hit at rank r gains 1 / log2(r + 1); the best possible is `min(k, labels)` hits
    in front. Documents without a label count, as 0. Arguments: see the module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> round(ndcg_at_k([[0, 2], [1, 3]], relevant, k=2), 4)
    0.622
    """
    top, relevant = _checked(top, relevant, k)
    return float(_ndcg_sum(_hits(top, relevant, k), relevant) / len(top))


def psp_at_k(top, relevant, weight, k: int) -> float:
    """Returns PSP@k: summed weight of the hits over the best possible sum.

    Both sums run over all documents before the one is divided by the other, as in
    pyxclib; the best possible prediction has the `k` heaviest labels of each
    document. 0 where no document has a label. Arguments: see the module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> psp_at_k([[0, 2], [1, 3]], relevant, [1.0, 3.0, 2.0, 4.0], k=2)
    0.625
    """
    top, relevant, weight = _checked_weight(top, relevant, weight, k)
    gains = _gains(_hits(top, relevant, k), top, weight)
    return _ratio(gains.sum(), _best_gains(relevant, weight, k).sum())


def psndcg_at_k(top, relevant, weight, k: int) -> float:
    """Returns PSnDCG@k: as PSP@k, with the gains discounted by rank.

    Normalised as in pyxclib: a document's weighted gain, weight / log2(rank + 1)
    summed over its hits, is divided by the unweighted gain of `min(k, labels)` hits,
    that of the best possible prediction (its `k` heaviest labels, heaviest first)
    likewise; then the sum over all documents of the former is divided by that of the
    latter. 0 where no document has a label. Arguments: see the module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> weight = [1.0, 3.0, 2.0, 4.0]
    >>> round(psndcg_at_k([[0, 2], [1, 3]], relevant, weight, k=2), 4)
    0.5038
    """
    top, relevant, weight = _checked_weight(top, relevant, weight, k)
    gains = _gains(_hits(top, relevant, k), top, weight)
    best = _best_gains(relevant, weight, k)
    return _ratio(_ndcg_sum(gains, relevant), _ndcg_sum(best, relevant))


def recall_at_k(top, relevant, k: int | None = None) -> float:
    """Returns recall@k: hits among the first `k` over the document's labels.

    The mean over the documents that have a label; 0 where none has. `None` takes
    all columns. Arguments: see the module.

    Example:

    >>> relevant = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> recall_at_k([[0, 2], [1, 3]], relevant)
    0.75
    """
    top, relevant = _checked(top, relevant, 1 if k is None else k)
    top = top[:, :k]
    labels = np.diff(relevant.indptr)
    hits = _hits(top, relevant, top.shape[1]).sum(axis=1)
    return _ratio((hits / np.maximum(labels, 1)).sum(), np.count_nonzero(labels))


def ranking_report(top, relevant, weight, ks=(1, 3, 5)) -> dict[str, float]:
    """Returns P, nDCG, PSP and PSnDCG for each of several `k`, in percent.

    `top`, `relevant` and `weight` as the module describes them, `ks` several `k`.

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
        top, relevant, weight = _checked_weight(top, relevant, weight, k)
    # The first columns of what is computed for the largest k serve the smaller ones.
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


def _checked(top, relevant, k):
    """Returns `top` as an array and `relevant` as a canonical csr of ones."""
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"Expected `k` as an integer above 0. Received: k={k!r}.")
    top = np.asarray(top)
    if top.ndim != 2 or top.dtype.kind not in "iu" or not len(top):
        raise ValueError(
            "Expected `top` as integer label ids (num_documents, columns), of at "
            f"least one document. Received: shape={top.shape}, dtype={top.dtype}."
        )
    if not scipy.sparse.issparse(relevant) or relevant.shape[0] != len(top):
        raise ValueError(
            f"Expected `relevant` as a sparse matrix of {len(top)} rows, one a row of "
            f"`top`. Received: {type(relevant).__name__} of "
            f"shape={getattr(relevant, 'shape', None)}."
        )
    relevant = scipy.sparse.csr_matrix(relevant)
    if not relevant.has_canonical_format or not relevant.data.all():
        relevant = relevant.copy()
        relevant.sum_duplicates()
        relevant.eliminate_zeros()
    if top.size and top.max() >= relevant.shape[1]:
        raise ValueError(
            f"Expected ids in `top` below {relevant.shape[1]}, the columns of "
            f"`relevant`. Received: {top.max()}."
        )
    return top, relevant


def _checked_weight(top, relevant, weight, k):
    top, relevant = _checked(top, relevant, k)
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
    """Tells which of the first `k` predictions hit: bool (num_documents, k)."""
    num_documents, width = relevant.shape
    # (document, label) pairs as single integers. Those of a canonical csr ascend; the
    # one behind the last is what a search that finds nothing may end on.
    pairs = np.repeat(np.arange(num_documents), np.diff(relevant.indptr)) * width
    pairs = np.append(pairs + relevant.indices, num_documents * width)
    top = top[:, :k].astype(np.int64)
    rows = np.arange(num_documents)[:, None]
    asked = np.where(top < 0, -1, rows * width + top)  # (num_documents, columns)
    found = np.flatnonzero(pairs[np.searchsorted(pairs, asked)] == asked)
    # Only hits can be counted twice, so only they are searched for repeats.
    _, first = np.unique(asked.ravel()[found], return_index=True)
    rows, ranks = np.divmod(found[first], max(top.shape[1], 1))
    hits = np.zeros((num_documents, k), bool)
    hits[rows, ranks] = True
    return hits


def _gains(hits, top, weight):
    """Weighs hits: float64 (num_documents, k), 0 where there is no hit."""
    gains = np.zeros(hits.shape)
    gains[hits] = weight[top[:, : hits.shape[1]][hits[:, : top.shape[1]]]]
    return gains


def _best_gains(relevant, weight, k):
    """The `k` heaviest labels' weights, heaviest first: float64 (num_documents, k)."""
    rows = np.repeat(np.arange(relevant.shape[0]), np.diff(relevant.indptr))
    weights = weight[relevant.indices]
    # Rows stay in place, so the rank is the distance from the start of the row.
    weights = weights[np.lexsort((-weights, rows))]
    ranks = np.arange(len(rows)) - relevant.indptr[rows]
    best = np.zeros((relevant.shape[0], k))
    best[rows[ranks < k], ranks[ranks < k]] = weights[ranks < k]
    return best


def _ndcg_sum(gains, relevant):
    """Sums discounted gains over documents, each over that of the most hits."""
    k = gains.shape[1]
    discount = 1 / np.log2(np.arange(k) + 2)  # (k,)
    most = np.append(np.inf, discount.cumsum())  # no label, no gain: 0 / inf
    return (gains @ discount / most[np.minimum(np.diff(relevant.indptr), k)]).sum()


def _ratio(part, whole):
    return float(part / whole) if whole > 0 else 0.0
