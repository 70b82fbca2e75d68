"""The rows of a table that a batch reads, each of them once."""

import tensorflow as tf

from xmc_keras.candidate_pool import candidate_pool
from xmc_keras.in_xla import in_xla

MULTIPLE = 1024  # pools of so many rows, or twice, three times ... as many


def row_pool(ids, num_rows, multiple=MULTIPLE):
    """The distinct rows among (batch, n) ids, and each one's place there.

    Args:
        ids: int32 tensor (batch, n), `-1` pads.
        num_rows: int. Rows of the table.
        multiple: int. Other rows fill the pool up to a multiple of it, where the table
            has so many: so there are few sizes of a pool, and what is compiled for a
            size, as an update of `RowwiseAdamW`, is compiled few times.

    Returns:
        `pool` (rows,) int32, no row twice, those of the ids first and in order, and
        `places` (batch, n) int32 in it, `-1` pads.

    Example:

    >>> pool, places = row_pool(tf.constant([[6, 1], [6, -1]]), 9, multiple=3)
    >>> pool.numpy().tolist(), places.numpy().tolist()
    ([1, 6, 0], [[1, 0], [1, -1]])
    """
    if in_xla():
        return candidate_pool(ids, num_rows, 1, tf.shape(ids)[1])
    # One number a row: no sort and no hash over the ids, which are many more.
    known = tf.where(ids < 0, num_rows, ids)
    ones = tf.ones(tf.size(known), tf.int32)
    marks = tf.zeros(num_rows + 1, tf.int32)
    marks = tf.tensor_scatter_nd_update(marks, tf.reshape(known, [-1, 1]), ones)[:-1]
    pool = tf.cast(tf.where(marks)[:, 0], tf.int32)
    size = tf.maximum(-(-tf.size(pool) // multiple), 1) * multiple
    missing = tf.minimum(size, num_rows) - tf.size(pool)
    others = tf.cast(tf.where(1 - marks)[:, 0], tf.int32)[:missing]
    order = tf.concat([tf.cumsum(marks) - 1, [-1]], axis=0)
    return tf.concat([pool, others], axis=0), tf.gather(order, known)
