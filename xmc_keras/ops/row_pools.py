"""Pools of distinct table rows that a batch needs, gathered once per batch."""

import tensorflow as tf
from keras import ops

from xmc_keras.ops.xla import in_xla

MULTIPLE = 1024  # the size of a row pool is a multiple of this


def candidate_pool(rows, num_clusters, cluster_size, most):
    """Distinct rows of the clusters of all candidates, and each candidate's place.

    The rows of a cluster are one block: `cluster_size` rows starting at `cluster *
    cluster_size`. Documents of a batch share clusters, so the label table is read, and
    its gradient summed, once per cluster instead of once per document. A vector with
    one number per cluster finds the distinct ones, without sorting or hashing the
    candidates, which number a hundred thousand.

    Args:
        rows: int32 tensor (batch, num_candidates), `-1` pads.
        num_clusters, cluster_size: int.
        most: int or int32 tensor. Maximum number of clusters of one document's
            candidates. Used only under XLA, where the pool has one size for all
            batches of a shape and is filled up with clusters without candidates.

    Returns:
        `pool`, int32 (pool rows,), without repeats, and `places`, int32 (batch,
        num_candidates), the index of each candidate in the pool, `-1` pads.

    Example:

    >>> pool, places = candidate_pool(ops.array([[6, 7], [1, -1]]), 4, 2, 1)
    >>> pool.numpy().tolist(), places.numpy().tolist()
    ([0, 1, 6, 7], [[2, 3], [1, -1]])
    """
    rows = ops.cast(rows, "int32")
    batch, width = ops.shape(rows)
    # Pads get an extra cluster after the last, which is cut off below.
    clusters = ops.where(rows < 0, num_clusters, rows // cluster_size)
    touched = tf.tensor_scatter_nd_update(
        tf.zeros(num_clusters + 1),
        ops.reshape(clusters, (-1, 1)),
        tf.ones(batch * width),
    )[:-1]
    if in_xla():
        size = ops.minimum(batch * most, num_clusters)
    else:
        size = ops.maximum(ops.cast(ops.sum(touched), "int32"), 1)
    blocks = tf.math.top_k(touched, size).indices  # the touched ones first
    order = tf.tensor_scatter_nd_update(
        tf.zeros(num_clusters + 1, "int32"), blocks[:, None], tf.range(size)
    )
    places = tf.gather(order, clusters) * cluster_size + rows % cluster_size
    pool = blocks[:, None] * cluster_size + tf.range(cluster_size)
    return ops.reshape(pool, (-1,)), ops.where(rows < 0, -1, places)


def row_pool(ids, num_rows, multiple=MULTIPLE):
    """Distinct rows among the ids of a batch, and each id's place.

    Args:
        ids: int32 tensor (batch, n), `-1` pads.
        num_rows: int. Rows of the table.
        multiple: int. The pool is filled up with other rows to a multiple of this, or
            to the whole table. Pools then have few sizes, and code that is compiled per
            size, such as the update of `RowwiseAdamW`, is compiled few times.

    Returns:
        `pool`, int32 (pool rows,), without repeats, the rows of `ids` first and in
        ascending order, and `places`, int32 (batch, n), the index of each id in the
        pool, `-1` pads.

    Example:

    >>> pool, places = row_pool(tf.constant([[6, 1], [6, -1]]), 9, multiple=3)
    >>> pool.numpy().tolist(), places.numpy().tolist()
    ([1, 6, 0], [[1, 0], [1, -1]])
    """
    if in_xla():
        return candidate_pool(ids, num_rows, 1, tf.shape(ids)[1])
    # One number per row of the table: the ids are neither sorted nor hashed.
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
