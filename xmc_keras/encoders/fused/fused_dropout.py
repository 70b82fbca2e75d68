"""Dropout as a single kernel."""

import keras
import tensorflow as tf

from xmc_keras.encoders.fused.kernel import fuse
from xmc_keras.ops.keras_internals import flatten_layers

VALUES = 1 << 16  # that 16 random bits can take


@keras.saving.register_keras_serializable(package="xmc_keras")
class FusedDropout(keras.layers.Dropout):
    """`keras.layers.Dropout` as one XLA kernel, with 16 random bits per value.

    Keras draws a float for each value and multiplies and selects in separate passes,
    a large part of a transformer's training step on a CPU. Here one pass does all of
    it. The rate is rounded to a multiple of 1 / 65,536, and the values kept are scaled
    by the rounded rate, so that the expectation is exact. The surrounding step may be
    compiled or not. With a `noise_shape` the layer computes what Keras computes.

    Args:
        rate, noise_shape, seed, **kwargs: arguments of `keras.layers.Dropout`.

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
        return fused_drop(inputs, self.seed_generator.next(), dropped=count(self.rate))


def fuse_dropout(model):
    """Turns every `keras.layers.Dropout` within a model into a `FusedDropout`.

    The layers are changed in place: rates, seeds and their state stay. Subclasses of
    Dropout are left alone.

    Args:
        model: a built `keras.Model` or layer.

    Example:

    >>> model = keras.Sequential([keras.layers.Dropout(0.5)])
    >>> fuse_dropout(model)
    >>> type(model.layers[0]).__name__
    'FusedDropout'
    """
    for layer in flatten_layers(model):
        if type(layer) is keras.layers.Dropout:
            # A built layer does not let its sublayers be replaced.
            layer.__class__ = FusedDropout


def count(rate):
    """How many of 65,536 values a dropout rate drops, on average."""
    return min(round(rate * VALUES), VALUES - 1)


def drop(x, seed, dropped):
    """Dropout of a tensor, for use within functions made by `fuse`.

    Args:
        x: float tensor.
        seed: int tensor (2,).
        dropped: int. See `count`.

    Returns:
        A tensor like `x`, and a tuple of residuals for `drop_again`.
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
        alg="threefry",  # four times as fast as Philox in XLA on a CPU
    )
    bits = tf.reshape(tf.bitcast(bits, tf.int16), [-1])[:size]
    bits = tf.ensure_shape(tf.reshape(bits, tf.shape(x)), x.shape)
    keep = bits >= tf.constant(dropped - VALUES // 2, tf.int16)
    return drop_again(x, (keep,), dropped), (keep,)


def drop_again(x, residuals, dropped):
    """Applies the same dropout again; this is also its gradient."""
    if not dropped:
        return x
    scale = tf.constant(VALUES / (VALUES - dropped), x.dtype)
    return tf.where(residuals[0], x * scale, tf.zeros([], x.dtype))


fused_drop = fuse(drop, lambda *args, dropped: [drop_again(*args, dropped), None])
