"""Small tensor functions."""

import math

from keras import ops


def isin(a, b, earlier=False):
    """(batch, n) and (batch, m) to (batch, n) bool: is a[i] in b (or in b[:i])?

    Example:

    >>> isin(ops.array([[3, 1, 3]]), ops.array([[3, 7]])).numpy().tolist()
    [[True, False, True]]
    """
    equal = a[:, :, None] == b[:, None, :]  # (batch, n, m)
    if earlier:
        place = ops.arange(ops.shape(b)[1])
        equal = equal & (place[None, :] < place[:, None])[None]
    return ops.any(equal, axis=-1)


def logit(probability):
    """The number whose sigmoid is a probability.

    Example:

    >>> round(1 / (1 + math.exp(-logit(0.2))), 6)
    0.2
    """
    return math.log(probability / (1 - probability))
