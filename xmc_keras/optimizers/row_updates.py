"""Updates of the rows of a table that a step touched."""

import tensorflow as tf

from xmc_keras.ops.xla import in_xla


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
    if values.dtype.size < 4:
        values = tf.cast(values, tf.float32)  # a sum in bfloat16 stops growing at 256
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


CHUNK = 2**20  # numbers that an update works on at a time


def apply_row_updates(update, ids, values):
    """Calls `update(ids, values, by_xla)` on some rows (n, dim) at a time.

    So no memory is needed for what an update of all of them would compute on the way.
    Chunks are of one size, so that XLA may make one loop of the arithmetic of each,
    compiled once, even where the rest of the step is not compiled. What is left over
    it does not compile.
    """
    n = tf.shape(ids)[0]
    size = max(1, CHUNK // values.shape[1])  # rows
    if in_xla():  # where no part is larger than the whole
        size = tf.clip_by_value(size, 1, tf.maximum(n, 1))
    whole = n // size

    def body(i):
        rows = tf.slice(values, [i * size, 0], [size, values.shape[1]])
        update(tf.slice(ids, [i * size], [size]), rows, by_xla=not in_xla())
        return [i + 1]

    tf.while_loop(lambda i: i < whole, body, [0], parallel_iterations=1)
    update(ids[whole * size :], values[whole * size :], by_xla=False)


def find_touched_rows(total):
    """(rows, 1) float32: 0 for a gradient of zeros, a pad of a fixed shape, else 1."""
    return tf.cast(tf.reduce_any(total != 0, axis=-1, keepdims=True), tf.float32)


def adam_update(total, rows, m, v, beta_1, beta_2, alpha, decay, epsilon, partial):
    """A step of AdamW on rows (n, dim) and their moments, except untouched ones.

    `v` (n, dim), or, where `partial`, (n, 1), of the mean over a row.
    """
    real = find_touched_rows(total)
    m += (total - m) * (real * (1 - beta_1))
    square = tf.square(total)
    if partial:
        square = tf.reduce_mean(square, axis=1, keepdims=True)
    v += (square - v) * (real * (1 - beta_2))
    rows = rows * (1 - real * decay) - real * alpha * m / (tf.sqrt(v) + epsilon)
    return rows, m, v


adam_rows_by_xla = tf.function(adam_update, jit_compile=True, reduce_retracing=True)


def stochastic_round(rows, seed):
    """float32 to bfloat16, up or down with a chance by how near each is.

    On average nothing is lost, however small a step. What bfloat16 can hold stays.

    Args:
        rows: float32 tensor (n, dim).
        seed: integer or int tensor. Another one for each step.

    Returns:
        bfloat16 tensor (n, dim).

    Example:

    >>> rows = tf.fill([1, 1000], 1.001)  # between 1 and 1.0078125
    >>> rounded = tf.cast(stochastic_round(rows, seed=0), tf.float32)
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
