"""A gradient of rows with each row once."""

import tensorflow as tf

from xmc_keras.in_xla import in_xla


def sum_rows(gradient):
    """The same gradient with each row once, where it is `tf.IndexedSlices`.

    Compiled by XLA, which wants to know the shape, rows of zeros fill it up.

    Args:
        gradient: tensor, or `tf.IndexedSlices` of values (n, dim) and ids (n,).

    Example:

    >>> gradient = tf.IndexedSlices(tf.eye(3), tf.constant([4, 1, 4]), [5, 3])
    >>> summed = sum_rows(gradient)
    >>> summed.indices.numpy().tolist(), summed.values.numpy().tolist()
    ([1, 4], [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    ids, values = tf.convert_to_tensor(gradient.indices), gradient.values
    num_rows = tf.cast(gradient.dense_shape[0], tf.int32)
    counts = tf.math.unsorted_segment_sum(tf.ones(tf.shape(ids)), ids, num_rows)
    touched = tf.minimum(counts, 1)
    if in_xla():
        n = tf.minimum(tf.size(ids), num_rows)
    else:
        n = tf.cast(tf.reduce_sum(touched), tf.int32)

    def summed():
        # The rows touched, then others. No hash table, which is a loop on a GPU.
        once = tf.math.top_k(touched, n).indices
        places = tf.scatter_nd(once[:, None], tf.range(n), [num_rows])
        places = tf.gather(places, ids)
        total = tf.math.unsorted_segment_sum(values, places, n)
        return tf.cast(once, ids.dtype), total

    # The rows of a pool stand in it once, and another pass over them costs.
    repeated = tf.reduce_any(counts > 1)
    ids, values = tf.cond(repeated, summed, lambda: (ids[:n], values[:n]))
    return tf.IndexedSlices(values, ids, gradient.dense_shape)
