"""The scores of validation documents, under any weights of their parts."""

import typing

import numpy as np

from xmc_keras.lightdxml.scores import find_best_places

SHARES = tuple(i / 10 for i in range(11))
FACTORS = (0.5, 0.7, 1.0, 1.4, 2.0)
ROUNDS = 3  # of the coordinate search, at most
# Standard errors that may be noise. Three, because the best of several values is
# compared, and because a random split has near copies of training documents.
NOISE = 3


class ScoreWeights(typing.NamedTuple):
    """The weights of the parts of a score.

    Args:
        share: float. Share of log q in a logit, see `log_inclusion`.
        factor: float. Multiple of the learned scale of `LabelWords`.
        beta: float. Weight of the classifier, see `fuse_scores`.
    """

    share: float = 0.0
    factor: float = 1.0
    beta: float = 1.0


class ValidationScores:
    """The parts of the scores of validation documents, to try weights on.

    The candidates are those that the model had, so one pass over the documents is
    enough for all weights.

    Args:
        parts: the result of `predict_parts`.
        relevant: csr matrix (documents, labels), ones where a label applies, in the
            order of `parts`.
        log_q: optional float32 array (labels,), the result of `log_inclusion`.
        share: float. The share of it that is in the logits already. Defaults to `0`.

    Example:

    >>> from scipy.sparse import csr_matrix
    >>> zeros = np.zeros([3, 2], "float32")
    >>> parts = {"candidates": np.array([[0, 1]] * 3), "cosines": zeros}
    >>> parts |= {"logits": zeros + np.float32([2, 1]), "words": zeros}
    >>> log_q = np.float32([-3, -1])
    >>> scores = ValidationScores(parts, csr_matrix([[0, 1]] * 3), log_q)
    >>> scores.choose(ScoreWeights(), shares=[0.25, 0.75])
    ScoreWeights(share=0.75, factor=1.0, beta=1.0)

    Reference: one weight after another, as in the coordinate ascent of
        [Metzler and Croft, 2007](https://doi.org/10.1007/s10791-006-9019-z).
    """

    def __init__(self, parts, relevant, log_q=None, share=0.0):
        self.parts = parts
        self.share = share
        candidates = parts["candidates"]
        self.log_q = 0.0 if log_q is None else log_q[candidates]
        rows = np.arange(len(candidates))[:, None] + np.zeros_like(candidates)
        found = relevant[rows.ravel(), candidates.ravel()]
        self.hits = np.asarray(found).reshape(rows.shape) > 0

    def precisions(self, weights):
        """P@1, P@3 and P@5 of each document, float64 array (documents, 3)."""
        parts = self.parts
        logits = parts["logits"] + (weights.share - self.share) * self.log_q
        logits = np.float32(logits + (weights.factor - 1) * parts["words"])
        places = find_best_places(logits, parts["cosines"], weights.beta)
        hits = np.take_along_axis(self.hits, places, axis=1)
        return np.stack([hits[:, :k].sum(axis=1) / k for k in (1, 3, 5)], axis=1)

    def choose(self, prior, shares=(), factors=(), betas=()):
        """Chooses the weights with the best mean of P@1, P@3 and P@5.

        One weight after another is set, given the others, until none changes. Share and
        factor are set to the value nearest to their `prior` that is not worse than the
        best one by more than `NOISE` standard errors of the difference, over the
        documents: small splits are noisy, and a difference that may be noise changes
        nothing. Beta is the best of all, as published; ties go to the largest.

        Args:
            prior: `ScoreWeights`.
            shares, factors, betas: values to try; with none the prior's is kept.

        Returns:
            `ScoreWeights`.
        """
        now = prior
        for _ in range(ROUNDS):
            before = now
            for name, values in (("share", shares), ("factor", factors)):
                if values:
                    now = self._move(now, prior, name, values)
            if betas:
                tried = [now._replace(beta=beta) for beta in betas]
                now = max(tried, key=lambda w: (self.precisions(w).mean(), w.beta))
            if now == before:
                break
        return now

    def _move(self, now, prior, name, values):
        values = sorted({*values, getattr(prior, name)})
        values.sort(key=lambda value: abs(value - getattr(prior, name)))
        tried = [self.precisions(now._replace(**{name: v})) for v in values]
        best = max(tried, key=np.mean)
        for value, found in zip(values, tried):
            losses = (best - found).mean(axis=1)
            if losses.mean() <= NOISE * standard_error(losses):
                return now._replace(**{name: value})


def standard_error(values):
    """Standard error of the mean; infinite for fewer than two values.

    >>> standard_error(np.array([1.0, 3.0])), standard_error(np.array([1.0]))
    (1.0, inf)
    """
    if len(values) < 2:
        return np.inf
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))
