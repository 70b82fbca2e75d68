"""Membership tests and logit."""

import math

import tensorflow as tf
from keras import ops


def isin(a, b, earlier=False):
    """Row-wise membership: whether each element of `a` occurs in the same row of `b`.

    Args:
        a: tensor (batch, n).
        b: tensor (batch, m) of the same dtype.
        earlier: bool. Whether `a[:, i]` is only searched in `b[:, :i]`, for `n == m`:
            `isin(a, a, earlier=True)` marks repeats. Defaults to `False`.

    Returns:
        bool tensor (batch, n).

    Example:

    >>> isin(ops.array([[3, 1, 3]]), ops.array([[3, 7]])).numpy().tolist()
    [[True, False, True]]
    """
    equal = a[:, :, None] == b[:, None, :]  # (batch, n, m)
    if earlier:
        index = ops.arange(ops.shape(b)[1])
        equal = equal & (index[None, :] < index[:, None])[None]
    return ops.any(equal, axis=-1)


def find_repeated(candidates):
    """Marks ids (batch, n) that occur earlier in their row, as bool."""
    # A stable sort brings equal ids together in their order; an id that equals its
    # left neighbour is a repeat. A second sort restores the order.
    order = tf.argsort(candidates, axis=1, stable=True)
    ids = tf.gather(candidates, order, batch_dims=1)
    repeated = ops.pad(ids[:, 1:] == ids[:, :-1], [[0, 0], [1, 0]])
    return tf.gather(repeated, tf.argsort(order, axis=1), batch_dims=1)


def check_initial_probability(initial_probability):
    """Raises `ValueError` for a probability that has no logit."""
    if not 0 < initial_probability < 1:
        raise ValueError(
            "Expected `initial_probability` between 0 and 1. Received: "
            f"initial_probability={initial_probability}"
        )


def logit(probability):
    """Inverse of the sigmoid, for a float between 0 and 1 (exclusive).

    Example:

    >>> round(1 / (1 + math.exp(-logit(0.2))), 6)
    0.2
    """
    return math.log(probability / (1 - probability))
