"""The error of training that does not converge."""

from xmc_keras.files.bad_input import BadInput


class Diverged(BadInput):
    """A loss is infinite or NaN: the config cannot be trained with.

    Example:

    >>> raise Diverged("Expected training to converge. Received: loss nan in epoch 1.")
    Traceback (most recent call last):
    xmc_keras.training.callbacks.diverged.Diverged: Expected training to converge. ...
    """
