"""LayerNorm, alone and with the residual connection before it, as one kernel."""

import tensorflow as tf

from xmc_keras.encoders.fused.fused_dropout import drop, drop_again
from xmc_keras.encoders.fused.kernel import fuse


def normalize(x, gamma, beta, epsilon):
    """LayerNorm over the last axis, computed in float32.

    Args:
        x: float tensor (..., dim).
        gamma, beta: float tensors (dim,).
        epsilon: float.

    Returns:
        Tensor like `x`, and a tuple of residuals for the backward pass.

    Reference: Ba et al., "Layer normalization" (https://arxiv.org/abs/1607.06450).
    """
    wide, gamma, beta = (tf.cast(t, tf.float32) for t in (x, gamma, beta))
    wide -= tf.reduce_mean(wide, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(wide), axis=-1, keepdims=True)
    scale = tf.math.rsqrt(variance + epsilon)  # (..., 1)
    standard = wide * scale
    value = tf.cast(standard * gamma + beta, x.dtype)
    return value, (tf.cast(standard, x.dtype), scale, gamma)


def add_and_normalize(states, update, gamma, beta, seed, epsilon, dropped):
    """LayerNorm of the sum of the states and an update, after dropout on the update.

    Args:
        states, update: float tensors (..., dim).
        gamma, beta, epsilon: see `normalize`.
        seed, dropped: see `drop`.

    Returns:
        Tensor like `states`, and a tuple of residuals for the backward pass.
    """
    update, of_drop = drop(tf.cast(update, tf.float32), seed, dropped)
    total = tf.cast(states, tf.float32) + update
    value, (standard, *rest) = normalize(total, gamma, beta, epsilon)
    standard = tf.cast(standard, states.dtype)
    return tf.cast(value, states.dtype), ((standard, *rest), of_drop)


def _normalize_gradient(of_value, residuals, epsilon):
    standard, scale, gamma = residuals
    of_value, wide = (tf.cast(t, tf.float32) for t in (of_value, standard))
    rows = list(range(len(of_value.shape) - 1))
    of_gamma, of_beta = (tf.reduce_sum(t, rows) for t in (of_value * wide, of_value))
    slope = of_value * gamma
    along = tf.reduce_mean(slope * wide, axis=-1, keepdims=True)
    slope -= tf.reduce_mean(slope, axis=-1, keepdims=True) + wide * along
    return tf.cast(slope * scale, standard.dtype), of_gamma, of_beta


def _add_and_normalize_gradient(of_value, residuals, epsilon, dropped):
    of_norm, of_drop = residuals
    slope, *rest = _normalize_gradient(of_value, of_norm, epsilon)
    return [slope, drop_again(slope, of_drop, dropped), *rest, None]


fused_normalize = fuse(normalize, _normalize_gradient)
fused_add_and_normalize = fuse(add_and_normalize, _add_and_normalize_gradient)
