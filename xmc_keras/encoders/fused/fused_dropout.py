"""Dropout in a fraction of the time."""

import keras
import tensorflow as tf

from xmc_keras.encoders.fused.kernel import fuse

VALUES = 1 << 16  # of 16 random bits


@keras.saving.register_keras_serializable(package="xmc_keras")
class FusedDropout(keras.layers.Dropout):
    """`keras.layers.Dropout` as one kernel of XLA, with 16 random bits a value.

    Keras draws a float for each value and multiplies and selects in passes of their
    own, a large part of a transformer's training step on a CPU. Here one pass draws and
    multiplies. The rate is rounded to a multiple of 1 / 65,536, and what is kept
    is scaled by what is so kept, so that the expectation is exact. The step around it
    need not be compiled, and may be. With a `noise_shape` it is Keras's.

    Args:
        rate, noise_shape, seed, **kwargs: as of `keras.layers.Dropout`.

    Example:

    >>> import numpy as np
    >>> dropout = FusedDropout(0.25, seed=1)
    >>> dropped = dropout(np.ones((100, 100), "float32"), training=True).numpy()
    >>> sorted({round(float(x), 4) for x in dropped.ravel()})
    [0.0, 1.3333]

    Reference: Srivastava et al., "Dropout: a simple way to prevent neural networks
    from overfitting" (https://jmlr.org/papers/v15/srivastava14a.html).
    """

    def call(self, inputs, training=False):
        if not training or not self.rate or self.noise_shape is not None:
            return super().call(inputs, training=training)
        return _drop(inputs, self.seed_generator.next(), dropped=self.dropped)

    @property
    def dropped(self):
        """How many of 65,536 values are dropped at the mean."""
        return min(round(self.rate * VALUES), VALUES - 1)


def set_dropout(model):
    """Makes every `keras.layers.Dropout` within a model a `FusedDropout`.

    Rates, seeds and their state stay; a subclass of Dropout stays what it is.

    Args:
        model: a `keras.Model` or layer, built.

    Example:

    >>> model = keras.Sequential([keras.layers.Dropout(0.5)])
    >>> set_dropout(model)
    >>> type(model.layers[0]).__name__
    'FusedDropout'
    """
    for layer in model._flatten_layers():
        if type(layer) is keras.layers.Dropout:
            # A built layer takes no other layer in the place of one that it has.
            layer.__class__ = FusedDropout


def drop(x, seed, dropped):
    """Values of `x`, or 0, each scaled by what is kept; for functions that are `fuse`.

    Args:
        x: float tensor.
        seed: int tensor (2,).
        dropped: int. As of `FusedDropout.dropped`.

    Returns:
        A tensor like `x`, and a tuple of what `drop_again` wants.
    """
    if not dropped:
        return x, ()
    size = tf.size(x)
    bits = tf.random.stateless_uniform(
        [(size + 1) // 2],
        seed,
        minval=None,
        maxval=None,
        dtype=tf.int32,
        alg="threefry",  # which XLA computes four times as fast as Philox on a CPU
    )
    bits = tf.reshape(tf.bitcast(bits, tf.int16), [-1])[:size]
    bits = tf.ensure_shape(tf.reshape(bits, tf.shape(x)), x.shape)
    kept = bits >= tf.constant(dropped - VALUES // 2, tf.int16)
    return drop_again(x, (kept,), dropped), (kept,)


def drop_again(x, held, dropped):
    """Drops and scales as `drop` did: also the gradient of it."""
    if not dropped:
        return x
    scale = tf.constant(VALUES / (VALUES - dropped), x.dtype)
    return tf.where(held[0], x * scale, tf.zeros([], x.dtype))


_drop = fuse(drop, lambda *found, dropped: [drop_again(*found, dropped), None])
