"""Gelu by the error function."""

import math

import tensorflow as tf


def exact_gelu(x):
    """x times the standard normal distribution function of x, in float32 within.

    What `keras.activations.gelu` is without its `approximate`. That computes erfc in
    bfloat16, which TensorFlow does one number at a time on a CPU.

    Args:
        x: float tensor.

    Returns:
        Tensor of the shape and dtype of `x`.

    Example:

    >>> [round(float(y), 4) for y in exact_gelu(tf.constant([-1.0, 0.0, 2.0]))]
    [-0.1587, 0.0, 1.9545]

    Reference: Hendrycks and Gimpel, "Gaussian error linear units"
    (https://arxiv.org/abs/1606.08415), equation 1.
    """
    x = tf.convert_to_tensor(x)
    wide = tf.cast(x, tf.float32)
    share = 0.5 + 0.5 * tf.math.erf(wide * math.sqrt(0.5))
    return tf.cast(wide * share, x.dtype)
