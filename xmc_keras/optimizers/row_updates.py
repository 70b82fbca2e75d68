"""Sparse table updates: sum repeated rows, update in chunks, round at random."""

import tensorflow as tf

from xmc_keras.ops.xla import in_xla

CHUNK = 2**20  # numbers of a table that are updated at a time


def sum_rows(gradient):
    """Sums the repeated rows of a sparse gradient.

    Args:
        gradient: tensor, or `tf.IndexedSlices` of values (n, dim) and ids (n,).

    Returns:
        `tf.IndexedSlices` with each row once; a dense tensor is returned unchanged.
        Under XLA, which needs static shapes, rows of zeros fill it up to `min(n,
        num_rows)` rows.

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

    def sum_repeated():
        # Touched rows first, then others. A hash table would be a loop on a GPU.
        distinct = tf.math.top_k(touched, n).indices
        places = tf.scatter_nd(distinct[:, None], tf.range(n), [num_rows])
        places = tf.gather(places, ids)
        total = tf.math.unsorted_segment_sum(values, places, n)
        return tf.cast(distinct, ids.dtype), total

    # The rows of a pool have no repeats: no extra pass over their gradient.
    has_repeats = tf.reduce_any(counts > 1)
    ids, values = tf.cond(has_repeats, sum_repeated, lambda: (ids[:n], values[:n]))
    return tf.IndexedSlices(values, ids, gradient.dense_shape)


def apply_row_updates(update, ids, values):
    """Calls `update` on the rows in chunks, to save memory for intermediate results.

    All chunks but the last have one size, so XLA can fuse the arithmetic of an update
    and compile it once, even if the rest of the step is not compiled.

    Args:
        update: function of `(ids, values, by_xla)`. `by_xla` is whether it should
            compile its arithmetic with XLA: `False` for the last, shorter chunk and
            while XLA already compiles the whole step.
        ids: int tensor (n,).
        values: float32 tensor (n, dim).
    """
    n = tf.shape(ids)[0]
    size = max(1, CHUNK // values.shape[1])  # rows
    if in_xla():  # a slice cannot be larger than the tensor there
        size = tf.clip_by_value(size, 1, tf.maximum(n, 1))
    num_chunks = n // size

    def body(i):
        rows = tf.slice(values, [i * size, 0], [size, values.shape[1]])
        update(tf.slice(ids, [i * size], [size]), rows, by_xla=not in_xla())
        return [i + 1]

    tf.while_loop(lambda i: i < num_chunks, body, [0], parallel_iterations=1)
    update(ids[num_chunks * size :], values[num_chunks * size :], by_xla=False)


def find_touched_rows(total):
    """float32 (n, 1): 0 for rows with a gradient of zero, such as padding, else 1."""
    return tf.cast(tf.reduce_any(total != 0, axis=-1, keepdims=True), tf.float32)


def step_rows(total, tables, rule, numbers, option, random):
    """One step on the rows of a table and its moments.

    Args:
        total: float32 tensor (n, dim). Gradient, summed over repeats.
        tables: list of tensors (n, dim): weights, float32 or bfloat16, and the moments
            of the rule, float32.
        rule: `adam_update` or `sgd_update`.
        numbers: list of scalar tensors, those of the rule.
        option: bool or float, the last argument of the rule.
        random: uint32 tensor (dim,), see `draw_row`; None for float32 weights.

    Returns:
        List of the new tables. The arithmetic is float32; bfloat16 weights are rounded
        stochastically.
    """
    dtype = tables[0].dtype
    rows = [tf.cast(x, tf.float32) for x in tables]
    rows = rule(total, rows, *numbers, option)
    if dtype == tf.bfloat16:
        rows[0] = _round(rows[0], random)
    return rows


# In one pass over the tables; TensorFlow makes a dozen.
step_rows_by_xla = tf.function(step_rows, jit_compile=True, reduce_retracing=True)


def adam_update(total, tables, beta_1, beta_2, alpha, decay, epsilon, partial):
    """One step of AdamW on rows; rows with a gradient of zero stay unchanged.

    Args:
        total: float32 tensor (n, dim). Gradient, summed over repeats.
        tables: list of float32 tensors (n, dim): weights, first and second moments. The
            last is (n, 1) if `partial`.
        beta_1, beta_2, epsilon: float or scalar tensor. Adam's constants.
        alpha: float or scalar tensor. Learning rate with the bias corrections.
        decay: float or scalar tensor. Weight decay times the learning rate.
        partial: bool. Whether second moments are of the mean square over a row.

    Returns:
        List of the new weights, first and second moments.
    """
    rows, m, v = tables
    real = find_touched_rows(total)
    m += (total - m) * (real * (1 - beta_1))
    square = tf.square(total)
    if partial:
        square = tf.reduce_mean(square, axis=1, keepdims=True)
    v += (square - v) * (real * (1 - beta_2))
    rows = rows * (1 - real * decay) - real * alpha * m / (tf.sqrt(v) + epsilon)
    return [rows, m, v]


def sgd_update(total, tables, rate, decay, momentum):
    """One step of gradient descent on rows; those with a gradient of zero stay.

    Args:
        total: float32 tensor (n, dim). Gradient, summed over repeats.
        tables: list of float32 tensors (n, dim): weights and, with `momentum`,
            velocities.
        rate: float or scalar tensor. Learning rate.
        decay: float. Weight decay.
        momentum: float.

    Returns:
        List of the new weights and velocities.

    Reference: as in PyTorch's `SGD`, but without momentum, the decay is decoupled, as
        in AdamW, which is the same.
    """
    rows, *velocity = tables
    if not momentum and not decay:
        return [rows - rate * total]
    real = find_touched_rows(total)
    if not momentum:
        return [rows * (1 - rate * decay * real) - rate * total]
    (velocity,) = velocity
    moved = momentum * velocity + total + decay * rows
    velocity += (moved - velocity) * real
    return [rows - rate * real * velocity, velocity]


def stochastic_round(rows, seed):
    """Stochastic rounding to bfloat16.

    Each number is rounded up or down at random, to the nearer neighbour more likely, so
    that its expected value does not change: even tiny steps add up. Numbers that
    bfloat16 represents exactly stay as they are.

    Args:
        rows: float32 tensor (n, dim).
        seed: int or int tensor, different in each step.

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
    return _round(rows, draw_row(rows.shape[1], seed))


def draw_row(dim, seed):
    """Random numbers that all rows of a step share, uint32 (dim,), below 2 ** 16.

    Not in a function that XLA compiles, which would draw them again for each row.
    """
    seed = tf.stack([tf.cast(seed, tf.int32), 0])
    random = tf.random.stateless_uniform([dim], seed, maxval=2**16, dtype=tf.int32)
    return tf.cast(random, tf.uint32)


def _round(rows, random):
    # A bfloat16 is the upper half of a float32. Adding a random lower half rounds up
    # if it carries over. Unsigned, because GPUs add int32 on the host.
    bits = tf.bitcast(rows, tf.uint32) + random
    upper = tf.bitwise.right_shift(bits, tf.constant(16, tf.uint32))
    return tf.bitcast(tf.cast(upper, tf.uint16), tf.bfloat16)
