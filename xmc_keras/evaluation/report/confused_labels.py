"""Labels that a run predicts instead of others."""

import collections


def find_confused_labels(top, relevant, k=5, most=12):
    """Pairs of a wrong label and a right one that it replaced.

    The first predictions of a document count, as many as it has labels, at most `k`:
    with fewer labels than `k`, some of the first `k` are wrong for any model. Each
    wrong one is paired with each label of the document that is not among them.

    Args:
        top: int array (documents, n). Predictions, best first, `-1` pads.
        relevant: csr matrix (documents, labels).
        k: int. Defaults to `5`.
        most: int. Number of pairs to return. Defaults to `12`.

    Returns:
        List of `(wrong, right, documents)`, most frequent first.

    Example:

    >>> import numpy as np, scipy.sparse
    >>> relevant = scipy.sparse.csr_matrix([[1, 0, 0], [1, 0, 0], [0, 1, 1]])
    >>> find_confused_labels(np.array([[2, 0], [2, 1], [1, 2]]), relevant)
    [(2, 0, 2)]
    """
    pairs = collections.Counter()
    for document, row in enumerate(top):
        begin, end = relevant.indptr[document : document + 2]
        right = set(relevant.indices[begin:end].tolist())
        given = [label for label in row[: min(k, len(right))].tolist() if label >= 0]
        missed = right.difference(given)
        pairs.update(
            (label, other) for label in given if label not in right for other in missed
        )
    ranked = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(*pair, count) for pair, count in ranked[:most]]
