"""The distinct rows that a batch needs of a table."""

import tensorflow as tf
from keras import ops

from xmc_keras.ops.xla import in_xla


def candidate_pool(rows, num_clusters, cluster_size, most):
    """Whole clusters that hold all candidates of a batch, and the candidates' places.

    The rows of a cluster are one block, `cluster_size` rows from `cluster *
    cluster_size` on. Documents of a batch share clusters; so the label table is read,
    and its gradient summed, by cluster and not by document. A vector of one number a
    cluster finds the distinct ones: no sort and no hash over the candidates, of which
    there are a hundred thousand.

    Args:
        rows: int32 tensor (batch, num_candidates), `-1` pads.
        num_clusters, cluster_size: int.
        most: int or int32 tensor. Of so many clusters a document's candidates are at
            most; counts where XLA, for which the pool has one size for all batches of
            a shape, fills it up with clusters that no candidate is of.

    Returns:
        `pool` (rows of the pool,) int32, no row twice, and `places` (batch,
        num_candidates) int32 in it, `-1` pads.

    Example:

    >>> pool, places = candidate_pool(ops.array([[6, 7], [1, -1]]), 4, 2, 1)
    >>> pool.numpy().tolist(), places.numpy().tolist()
    ([0, 1, 6, 7], [[2, 3], [1, -1]])
    """
    rows = ops.cast(rows, "int32")
    batch, width = ops.shape(rows)
    # Pads belong to a cluster after the last, which is cut off.
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
