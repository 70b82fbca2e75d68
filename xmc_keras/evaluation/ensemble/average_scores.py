"""The mean of the scores of several models."""

import tensorflow as tf


def average_scores(scores, weights=None):
    """The mean of the scores of several models, optionally weighted.

    Args:
        scores: list of float32 tensors of the same shape, one per model.
        weights: optional list of floats, one per model, not negative and not all 0;
            only their ratios matter. `None` means equal weights.

    Example:

    >>> float(average_scores([tf.constant(1.0), tf.constant(0.5)], [3, 1]))
    0.875
    """
    weights = normalize_weights(weights, len(scores))
    return tf.add_n([weight * part for weight, part in zip(weights, scores)])


def normalize_weights(weights, models):
    """Normalises the weights of `models` models to sum to 1, and checks them.

    >>> normalize_weights(None, 2), normalize_weights([3, 1], 2)
    ([0.5, 0.5], [0.75, 0.25])
    """
    weights = [1.0] * models if weights is None else [float(w) for w in weights]
    fits = len(weights) == models and all(0 <= w < float("inf") for w in weights)
    if not fits or not sum(weights):
        raise ValueError(
            f"Expected `weights` of {models} models, not negative and not all 0. "
            f"Received: {weights}"
        )
    return [weight / sum(weights) for weight in weights]
