"""Thresholds for a target, chosen on validation documents."""

import numpy as np

from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_bands import BANDS
from xmc_keras.recommending.thresholds.measure_selection import measure_selection
from xmc_keras.recommending.thresholds.target import Target

# Fewer accepted labels say little of their precision, and fewer right ones of a band or
# a label little of its threshold, which then is that of all or of its band.
FEWEST_ACCEPTED, FEWEST_OF_BAND, FEWEST_OF_LABEL = 20, 50, 20
NOTHING = 1.1  # above any score
STEPS = 200  # thresholds to try for macro_f1


def choose_thresholds(model, target):
    """Chooses the least score of accepted labels.

    Args:
        model: a `Recommender`, or a `Calibration`, as of an ensemble. Targets other
            than a score need one.
        target: see `Target.parse`.

    Returns:
        float32 array: () for one threshold, or (num_labels,).

    Raises:
        BadInput: the target is not valid, no threshold reaches it, or the model has no
            calibration.
    """
    target = Target.parse(target)
    if target.kind == "score":
        return np.float32(target.value)
    calibration = getattr(model, "calibration", model)
    if calibration is None or calibration.answers is None:
        raise BadInput(
            f"Expected a calibrated model, to choose a threshold for {target}. "
            "Received: a model without calibration.",
            remedy="Give a score from 0 to 1, or train with calibration: auto and more "
            "validation documents.",
        )
    # Choosing may take seconds, and texts are answered in chunks.
    known = calibration.thresholds
    if target not in known:
        known[target] = choose_for_answers(
            calibration.answers, target, calibration.label_bands
        )
    return known[target]


def choose_for_answers(answers, target, label_bands):
    """Chooses thresholds by `HeldOutAnswers`, see `choose_thresholds`.

    Args:
        answers: `HeldOutAnswers` with calibrated scores.
        target: a `Target` other than a score.
        label_bands: int array (num_labels,).
    """
    real = answers.real
    documents = np.nonzero(real)[0]
    scores, right = answers.scores[real], answers.right[real]
    labels, own = answers.label_ids[real], np.diff(answers.relevant.indptr)
    of_labels = np.bincount(answers.relevant.indices, minlength=len(label_bands))

    def choose(pairs, total):
        """The threshold of some pairs, whose labels apply to `total` documents."""
        if target.kind == "macro_f1" and target.scope == "all":
            return _choose_macro(answers)
        return _choose(
            target, scores[pairs], right[pairs], documents[pairs], own, total
        )

    every = np.ones(len(scores), bool)
    whole = choose(every, of_labels.sum())
    if target.scope == "all":
        return np.float32(whole)
    bands, thresholds = label_bands[labels], np.full(len(BANDS) + 1, whole)
    for band in range(len(thresholds)):
        pairs = bands == band
        if np.count_nonzero(right & pairs) >= FEWEST_OF_BAND:
            total = of_labels[: len(label_bands)][label_bands == band].sum()
            thresholds[band] = _try(choose, pairs, total, whole)
    found = thresholds[label_bands]
    if target.scope == "label":
        order = np.argsort(labels, kind="stable")
        starts = np.searchsorted(labels[order], np.arange(len(label_bands) + 1))
        of_right = np.bincount(labels[right], minlength=len(label_bands))
        for label in np.flatnonzero(of_right >= FEWEST_OF_LABEL):
            pairs = order[starts[label] : starts[label + 1]]
            found[label] = _try(choose, pairs, of_labels[label], found[label])
    return found.astype(np.float32)


def _try(choose, pairs, total, otherwise):
    """The threshold of some pairs; `otherwise` if none reaches the target."""
    try:
        return choose(pairs, total)
    except BadInput:
        return otherwise


def _choose(target, scores, right, documents, own, total):
    """One threshold for pairs of a document and a label.

    Args:
        target: a `Target`.
        scores, right, documents: arrays (pairs,): scores, whether the label applies,
            and the place of the document.
        own: int array (documents,). Number of labels of each document.
        total: int. Documents that the labels apply to.
    """
    order = np.argsort(-scores, kind="stable")
    scores, right, documents = scores[order], right[order], documents[order]
    hits, count = np.cumsum(right), np.arange(1, len(scores) + 1)
    last = np.append(scores[:-1] != scores[1:], True)  # of equal scores
    if target.kind in ("f1", "macro_f1"):
        return _best(2 * hits / np.maximum(count + total, 1), 0.0, scores, last)
    if target.kind == "cost":
        costs = target.value * (count - hits) + total - hits
        return _best(-costs, -total, scores, last)
    if target.kind == "precision":
        shares = hits / count
        able = last & (count >= FEWEST_ACCEPTED)
        places = np.flatnonzero(able & (shares >= target.value))
        if not len(places):
            raise _unreached(target, shares[able].max(initial=0))
        return _between(scores, places[-1])
    # Conformal: documents without labels hold none.
    gains = np.where(right, 1 / np.maximum(own[documents], 1), 0)
    if target.kind == "hit":
        gains = np.zeros(len(documents))
        _, first = np.unique(documents[right], return_index=True)
        gains[np.flatnonzero(right)[first]] = 1  # the best right label of each
    shares = np.cumsum(gains) / (np.count_nonzero(own) + 1)
    places = np.flatnonzero(last & (shares >= target.value))
    if not len(places):
        raise _unreached(target, shares.max(initial=0))
    return _between(scores, places[0])


def _best(values, of_nothing, scores, last):
    """The threshold with the largest value; `of_nothing` is that of no label."""
    values = np.where(last, values, -np.inf)
    if not len(values) or values.max() <= of_nothing:
        return NOTHING
    return _between(scores, int(np.argmax(values)))


def _between(scores, place):
    """A threshold between the score at a place and the next one."""
    lower = scores[place + 1] if place + 1 < len(scores) else 0.0
    return (scores[place] + lower) / 2


def _choose_macro(answers):
    scores = np.unique(answers.scores[answers.real])
    tried = scores[np.linspace(0, len(scores) - 1, STEPS).astype(int)]
    values = [measure_selection(answers, score)["macro_F1"] for score in tried]
    return tried[int(np.argmax(values))]


def _unreached(target, best):
    return BadInput(
        f"Expected a threshold with {target} on the validation documents. Received: "
        f"none, {best:.3f} is the best.",
        remedy="Ask for less.",
    )
