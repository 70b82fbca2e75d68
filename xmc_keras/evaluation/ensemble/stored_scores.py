"""Scores of an ensemble member from before it learnt from documents."""

import numpy as np


class StoredScores:
    """A model's answers to documents, from before it learnt from these.

    A linear model may learn from the validation documents in the end; its calibration
    has the answers of before. Like `MemberScores` they say what the model scored labels
    with. Those that it did not offer had less than all that it did, and count as 0.

    Args:
        answers: `HeldOutAnswers`, with calibrated scores.

    Attributes:
        label_ids, scores: see `MemberScores`.

    Example:

    >>> from xmc_keras import HeldOutAnswers
    >>> answers = HeldOutAnswers(np.array([[4, 2]]), np.array([[0.75, 0.5]]), None)
    >>> StoredScores(answers).scores_of(np.array([[2, 3, -1, 4]])).tolist()
    [[0.5, 0.0, 0.0, 0.75]]
    """

    def __init__(self, answers):
        self.label_ids = np.asarray(answers.label_ids, np.int32)
        self.scores = np.asarray(answers.scores, np.float32)

    def scores_of(self, label_ids):
        """Scores of given labels, see `MemberScores`."""
        label_ids = np.asarray(label_ids)
        width = 1 + max(part.max(initial=0) for part in (label_ids, self.label_ids))
        known, asked = (
            np.arange(len(part))[:, None] * width + part
            for part in (self.label_ids.astype(np.int64), label_ids.astype(np.int64))
        )
        real = self.label_ids >= 0
        known, scores = known[real], self.scores[real]
        order = np.argsort(known)
        places = np.searchsorted(known[order], asked)
        places = np.minimum(places, max(len(known) - 1, 0))
        found = np.zeros(label_ids.shape, np.float32)
        if len(known):
            hit = (known[order][places] == asked) & (label_ids >= 0)
            found[hit] = scores[order][places[hit]]
        return found
