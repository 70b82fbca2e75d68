"""Calibration: share of right labels by score."""

import numpy as np

from xmc_keras.metrics.find_hits import find_hits

BINS = 10


def calibration_curve(top, scores, relevant, k=5, bins=BINS):
    """Bins predictions by score: counts, mean scores and shares of right labels.

    Args:
        top: int array (documents, n). Predictions, best first, `-1` pads.
        scores: float array (documents, n). In [0, 1].
        relevant: csr matrix (documents, width).
        k: int. Number of predictions per document. Defaults to `5`.
        bins: int. Number of bins, of equal width. Defaults to `10`.

    Returns:
        `(counts, score, right, error)`: arrays (bins,), 0 where a bin is empty, and
        the expected calibration error, the mean of |score - right| weighted by counts.

    Reference: Guo et al., On calibration of modern neural networks
    (https://arxiv.org/abs/1706.04599), equation 3.
    """
    top, scores = top[:, :k], scores[:, :k]
    real = top >= 0
    scores, found = scores[real].astype(np.float64), find_hits(top, relevant)[real]
    places = np.minimum((scores * bins).astype(int), bins - 1)
    counts = np.bincount(places, minlength=bins)
    some = np.maximum(counts, 1)
    score = np.bincount(places, scores, bins) / some
    right = np.bincount(places, found, bins) / some
    error = float((counts * abs(score - right)).sum() / max(counts.sum(), 1))
    return counts, score, right, error
