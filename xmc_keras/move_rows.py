"""Updates of some rows of a table, a chunk at a time."""

import tensorflow as tf

from xmc_keras.in_xla import in_xla

CHUNK = 2**20  # numbers that an update works on at a time


def move_rows(update, ids, values):
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


def touched(total):
    """(rows, 1) float32: 0 for a gradient of zeros, a pad of a fixed shape, else 1."""
    return tf.cast(tf.reduce_any(total != 0, axis=-1, keepdims=True), tf.float32)


def adam_rows(total, rows, m, v, beta_1, beta_2, alpha, decay, epsilon, partial):
    """A step of AdamW on rows (n, dim) and their moments, except untouched ones.

    `v` (n, dim), or, where `partial`, (n, 1), of the mean over a row.
    """
    real = touched(total)
    m += (total - m) * (real * (1 - beta_1))
    square = tf.square(total)
    if partial:
        square = tf.reduce_mean(square, axis=1, keepdims=True)
    v += (square - v) * (real * (1 - beta_2))
    rows = rows * (1 - real * decay) - real * alpha * m / (tf.sqrt(v) + epsilon)
    return rows, m, v


adam_rows_by_xla = tf.function(adam_rows, jit_compile=True, reduce_retracing=True)
