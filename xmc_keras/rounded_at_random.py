"""Stochastic rounding."""

import tensorflow as tf


def rounded_at_random(rows, seed):
    """float32 to bfloat16, up or down with a chance by how near each is.

    On average nothing is lost, however small a step. What bfloat16 can hold stays.

    Args:
        rows: float32 tensor (n, dim).
        seed: integer or int tensor. Another one for each step.

    Returns:
        bfloat16 tensor (n, dim).

    Example:

    >>> rows = tf.fill([1, 1000], 1.001)  # between 1 and 1.0078125
    >>> rounded = tf.cast(rounded_at_random(rows, seed=0), tf.float32)
    >>> tf.unique(tf.sort(rounded[0])).y.numpy().tolist()
    [1.0, 1.0078125]
    >>> bool(abs(tf.reduce_mean(rounded) - 1.001) < 0.0003)
    True

    Reference: Gupta et al., "Deep learning with limited numerical precision"
    (https://arxiv.org/abs/1502.02551), section 3.
    """
    # A bfloat16 is the upper half of a float32: what a random lower half carries over
    # rounds up. One row of random numbers does for all rows.
    seed = tf.stack([tf.cast(seed, tf.int32), 0])
    random = tf.random.stateless_uniform(
        rows.shape[1:], seed, maxval=2**16, dtype=tf.int32
    )
    bits = tf.bitcast(rows, tf.int32) + random
    upper = tf.bitwise.bitwise_and(bits, -(2**16))
    return tf.cast(tf.bitcast(upper, tf.float32), tf.bfloat16)
