"""Weights of texts from what users have as `sample_weight`."""

import numpy as np


def read_sample_weight(sample_weight, num_texts):
    """Reads the weights of texts.

    Args:
        sample_weight: sequence of numbers, at least 0 and not all of them, or None.
        num_texts: int.

    Returns:
        `(kept, weights)`: int array, the places of texts whose weight is above 0, and
        their weights, float64 of mean 1; or `(None, None)` without `sample_weight`.

    Raises:
        ValueError: `sample_weight` is something else.

    Example:

    >>> kept, weights = read_sample_weight([1, 0, 3], num_texts=3)
    >>> kept.tolist(), weights.tolist()
    ([0, 2], [0.5, 1.5])
    """
    if sample_weight is None:
        return None, None
    try:
        weights = np.asarray(sample_weight, np.float64)
    except (TypeError, ValueError):
        weights = np.array(np.nan)
    valid = weights.shape == (num_texts,) and np.isfinite(weights).all()
    if not valid or (weights < 0).any() or not weights.any():
        raise ValueError(
            f"Expected `sample_weight` to be {num_texts} numbers, one per text, 0 or "
            f"more and not all 0. Received: {sample_weight!r:.80}."
        )
    kept = np.flatnonzero(weights)
    return kept, weights[kept] / weights[kept].mean()
