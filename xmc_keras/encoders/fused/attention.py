"""Attention weights as one kernel."""

import tensorflow as tf

from xmc_keras.encoders.fused.fused_dropout import drop, drop_again
from xmc_keras.encoders.fused.kernel import fuse


def attention_weights(scores, mask, seed, scale, dropped):
    """Softmax over the last axis, then dropout, computed in float32.

    Args:
        scores: float tensor (batch, heads, queries, tokens).
        mask: float32 tensor (batch, 1, 1, tokens), added to the scaled scores.
        seed, dropped: see `drop`.
        scale: float. Factor of the scores.

    Returns:
        Tensor like `scores`, and a tuple of residuals for the backward pass.

    Reference: Vaswani et al., "Attention is all you need"
    (https://arxiv.org/abs/1706.03762), equation 1.
    """
    weights = tf.nn.softmax(tf.cast(scores, tf.float32) * scale + mask)
    value, of_drop = drop(weights, seed, dropped)
    return tf.cast(value, scores.dtype), (tf.cast(weights, scores.dtype), of_drop)


def _gradient(of_value, residuals, scale, dropped):
    weights, of_drop = residuals
    of_value, wide = (tf.cast(t, tf.float32) for t in (of_value, weights))
    slope = drop_again(of_value, of_drop, dropped)
    slope -= tf.reduce_sum(slope * wide, axis=-1, keepdims=True)
    return [tf.cast(slope * wide * scale, weights.dtype), None, None]


fused_attention_weights = fuse(attention_weights, _gradient)
