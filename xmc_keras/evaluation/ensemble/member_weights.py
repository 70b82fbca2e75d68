"""Weights of the models of an ensemble."""

import numpy as np

from xmc_keras.metrics.ranking_metrics import precision_at_k

ROUNDS = 20


def choose_member_weights(label_ids, scores, relevant, rounds=ROUNDS):
    """Chooses the weights with which an ensemble ranks the given documents best.

    Starts with equal weights and adds 1, `rounds` times, to the weight of the model for
    which the ranking becomes best. Returns the best weights found on the way, the
    earliest if several are equally good. So they rank these documents at least as well
    as equal weights, and no helpful model is left out by chance. The best ranking has
    the largest mean of P@1, P@3 and P@5.

    Args:
        label_ids: int array (documents, n). Union of the labels that the models offer,
            without repetitions in a row, `-1` pads.
        scores: list of float arrays (documents, n), one per model.
        relevant: csr matrix (documents, labels or more), 1 where a label applies.
        rounds: int. Defaults to `20`.

    Returns:
        List of floats that sum to 1, one per model.

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

    def evaluate(counts):
        total = np.tensordot(np.float32(counts), scores, 1)
        total[label_ids < 0] = -1
        order = np.argsort(-total, axis=1, kind="stable")[:, :5]
        top = np.take_along_axis(label_ids, order, axis=1)
        return sum(precision_at_k(top, relevant, k) for k in (1, 3, 5))

    models = len(scores)
    counts = best = np.ones(models)
    best_quality = evaluate(counts)
    for _ in range(rounds):
        options = [counts + one for one in np.eye(models)]
        qualities = [evaluate(option) for option in options]
        counts = options[int(np.argmax(qualities))]
        if max(qualities) > best_quality:
            best_quality, best = max(qualities), counts
    return (best / best.sum()).tolist()
