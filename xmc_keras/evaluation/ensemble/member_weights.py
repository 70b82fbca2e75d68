"""What each model of an ensemble shall count."""

import numpy as np

from xmc_keras.metrics.ranking_metrics import precision_at_k

ROUNDS = 20


def choose_member_weights(label_ids, scores, relevant, rounds=ROUNDS):
    """Weights with which the models of an ensemble rank given documents best.

    Begins with all models alike and adds, `rounds` times, one to the model whose weight
    makes the ranking best; of all weights on the way the best are returned, and of
    equal ones the earliest. So they rank these documents at least as well as equal
    weights, and no model that helps is left out by chance. Best is the largest mean of
    P@1, P@3 and P@5.

    Args:
        label_ids: int array (documents, n). The union of what the models offer, no
            label twice in a row, `-1` pads.
        scores: list of float arrays (documents, n), of each model.
        relevant: csr matrix (documents, labels or more), ones where a label applies.
        rounds: int. Defaults to `20`.

    Returns:
        List of floats that sum to 1, one a model.

    Example:

    >>> import scipy.sparse
    >>> right, wrong = np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])
    >>> relevant = scipy.sparse.csr_matrix([[0, 0, 0, 1]])
    >>> choose_member_weights(np.array([[3, 1]]), [right, wrong], relevant)
    [0.5, 0.5]
    >>> choose_member_weights(np.array([[1, 3]]), [right, wrong], relevant)
    [0.333..., 0.666...]

    Reference: Caruana et al., Ensemble selection from libraries of models, ICML 2004,
    sections 2.1 and 2.2.
    """
    scores = np.stack(scores).astype(np.float32)  # (models, documents, n)
    label_ids = np.asarray(label_ids)

    def quality(counts):
        summed = np.tensordot(np.float32(counts), scores, 1)
        summed[label_ids < 0] = -1
        order = np.argsort(-summed, axis=1, kind="stable")[:, :5]
        top = np.take_along_axis(label_ids, order, axis=1)
        return sum(precision_at_k(top, relevant, k) for k in (1, 3, 5))

    models = len(scores)
    counts = best = np.ones(models)
    most = quality(counts)
    for _ in range(rounds):
        tried = [counts + one for one in np.eye(models)]
        found = [quality(one) for one in tried]
        counts = tried[int(np.argmax(found))]
        if max(found) > most:
            most, best = max(found), counts
    return (best / best.sum()).tolist()
