"""Metrics of the labels above a threshold."""

import numpy as np

from xmc_keras.recommending.thresholds.find_accepted import find_accepted


def measure_selection(answers, thresholds):
    """Measures the labels whose scores reach a threshold.

    Args:
        answers: `HeldOutAnswers`.
        thresholds: float, or float array (num_labels,).

    Returns:
        Dictionary, in percent: `micro_precision`, `micro_recall` and `micro_F1` over
        all pairs of a document and a label; `macro_F1`, the mean over the labels of
        these documents; `answered`, the share of documents with an answer; `hit`, of
        those with a right one among documents with labels; `recall`, the mean share of
        a document's labels that are found. And `labels_a_document`, a mean.

    Example:

    >>> import scipy.sparse
    >>> from xmc_keras import HeldOutAnswers
    >>> answers = HeldOutAnswers(np.array([[1, 0], [0, 1]]),
    ...     np.array([[0.9, 0.6], [0.3, 0.2]]),
    ...     scipy.sparse.csr_matrix([[0, 1], [0, 1]]))
    >>> found = measure_selection(answers, 0.5)
    >>> found["micro_precision"], found["micro_recall"], found["answered"]
    (50.0, 50.0, 50.0)
    """
    label_ids, relevant = answers.label_ids, answers.relevant
    accepted = find_accepted(label_ids, answers.scores, np.asarray(thresholds))
    right = accepted & answers.right
    own = np.diff(relevant.indptr)  # labels of each document
    width = relevant.shape[1]
    of_labels = [
        np.bincount(part, minlength=width)
        for part in (label_ids[accepted], label_ids[right], relevant.indices)
    ]
    predicted, hits, total = of_labels
    applies = total > 0
    f1 = 2 * hits[applies] / (predicted + total)[applies]
    labelled, found = own > 0, right.sum(axis=1)
    shares = {
        "micro_precision": _share(right.sum(), accepted.sum()),
        "micro_recall": _share(right.sum(), own.sum()),
        "micro_F1": _share(2 * right.sum(), accepted.sum() + own.sum()),
        "macro_F1": _share(f1.sum(), len(f1)),
        "answered": _share(accepted.any(axis=1).sum(), len(accepted)),
        "hit": _share((found > 0).sum(), labelled.sum()),
        "recall": _share((found[labelled] / own[labelled]).sum(), labelled.sum()),
    }
    metrics = {name: 100 * share for name, share in shares.items()}
    metrics["labels_a_document"] = _share(accepted.sum(), len(accepted))
    return metrics


def _share(part, whole):
    return float(part / whole) if whole else 0.0
