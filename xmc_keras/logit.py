"""The inverse of the sigmoid."""

import math


def logit(probability):
    """The number whose sigmoid is a probability.

    Example:

    >>> round(1 / (1 + math.exp(-logit(0.2))), 6)
    0.2
    """
    return math.log(probability / (1 - probability))
