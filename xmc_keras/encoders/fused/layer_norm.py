"""LayerNorm, and what comes before it in a transformer layer, in one kernel."""

import tensorflow as tf

from xmc_keras.encoders.fused.fused_dropout import drop, drop_again
from xmc_keras.encoders.fused.kernel import fuse


def normalize(x, gamma, beta, epsilon):
    """LayerNorm over the last axis, in float32 within.

    Args:
        x: float tensor (..., dim).
        gamma, beta: float tensors (dim,).
        epsilon: float.

    Returns:
        Tensor like `x`, and a tuple of what the gradient wants.

    Reference: Ba et al., "Layer normalization" (https://arxiv.org/abs/1607.06450).
    """
    wide, gamma, beta = (tf.cast(t, tf.float32) for t in (x, gamma, beta))
    wide -= tf.reduce_mean(wide, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(wide), axis=-1, keepdims=True)
    scale = tf.math.rsqrt(variance + epsilon)  # (..., 1)
    standard = wide * scale
    value = tf.cast(standard * gamma + beta, x.dtype)
    return value, (tf.cast(standard, x.dtype), scale, gamma)


def add_and_normalize(states, more, gamma, beta, seed, epsilon, dropped):
    """LayerNorm of the states and of what comes to them, of which some is dropped.

    Args:
        states, more: float tensors (..., dim).
        gamma, beta, epsilon: as of `normalize`.
        seed, dropped: as of `drop`.

    Returns:
        Tensor like `states`, and a tuple of what the gradient wants.
    """
    more, held = drop(tf.cast(more, tf.float32), seed, dropped)
    total = tf.cast(states, tf.float32) + more
    value, (standard, *rest) = normalize(total, gamma, beta, epsilon)
    standard = tf.cast(standard, states.dtype)
    return tf.cast(value, states.dtype), ((standard, *rest), held)


def _normalize_gradient(of_value, held, epsilon):
    standard, scale, gamma = held
    of_value, wide = (tf.cast(t, tf.float32) for t in (of_value, standard))
    rows = list(range(len(of_value.shape) - 1))
    of_gamma, of_beta = (tf.reduce_sum(t, rows) for t in (of_value * wide, of_value))
    slope = of_value * gamma
    along = tf.reduce_mean(slope * wide, axis=-1, keepdims=True)
    slope -= tf.reduce_mean(slope, axis=-1, keepdims=True) + wide * along
    return tf.cast(slope * scale, standard.dtype), of_gamma, of_beta


def _add_and_normalize_gradient(of_value, held, epsilon, dropped):
    held, of_drop = held
    slope, *rest = _normalize_gradient(of_value, held, epsilon)
    return [slope, drop_again(slope, of_drop, dropped), *rest, None]


fused_normalize = fuse(normalize, _normalize_gradient)
fused_add_and_normalize = fuse(add_and_normalize, _add_and_normalize_gradient)
