"""Embedding tables: adding one to a layer, and exact top-k search in one."""

import math
import random

import numpy as np
import tensorflow as tf

from xmc_keras.ops.distribution.sharded_table import add_sharded_table

ROWS = 10_000  # rows of a new table that are filled at a time
BLOCK = 2**17  # rows of a table that are searched at a time


def add_table_weight(layer, num_rows, dim, name, dtype="float32", shards=None):
    """Adds a weight for gathers by row, initialised like `GlorotUniform`.

    An initializer needs three times the memory of the table: for the random numbers,
    for the scaled ones and for the result. Here the rows are drawn in blocks and
    written in place. Only if the layer is built inside a graph or for several devices,
    where the table does not exist yet, the initializer is used.

    Args:
        layer: a `keras.layers.Layer`, in its `build`.
        num_rows, dim: int. Shape of the table.
        name: string. Name of the weight.
        dtype: string. Defaults to `"float32"`.
        shards: optional `RowShards`, for a weight of which each replica holds its
            shard.

    Returns:
        The weight, a `keras.Variable` that is never autocast.

    Example:

    >>> import keras
    >>> table = add_table_weight(keras.layers.Layer(), 3, 5, name="table")
    >>> bool((0 < abs(table.numpy())).all() and (abs(table.numpy()) < 0.87).all())
    True
    """
    limit = math.sqrt(6 / (num_rows + dim))

    def draw(random_numbers, shape):
        return limit * (2 * random_numbers.random(shape, "float32") - 1)

    if shards is not None:
        return add_sharded_table(layer, shards, dim, draw, name, dtype)
    use_initializer = not tf.executing_eagerly() or tf.distribute.has_strategy()
    table = layer.add_weight(
        shape=(num_rows, dim),
        initializer="glorot_uniform" if use_initializer else "zeros",
        dtype=dtype,
        autocast=False,
        name=name,
    )
    if use_initializer:
        return table
    # `keras.utils.set_random_seed` seeds Python's generator, so runs are repeatable.
    random_numbers = np.random.default_rng(random.getrandbits(32))
    for start in range(0, num_rows, ROWS):
        ids = tf.range(start, min(start + ROWS, num_rows))
        rows = tf.cast(draw(random_numbers, (len(ids), dim)), dtype)
        table.value.scatter_update(tf.IndexedSlices(rows, ids))
    return table


def find_top_rows(queries, table, k, bias=None, block=BLOCK, more=None):
    """Exact maximum inner product search: the top `k` rows of a table for each query.

    The table is searched in blocks and the best rows so far are kept, so memory holds
    (batch, block) products and never (batch, rows).

    Args:
        queries: float tensor (batch, dim).
        table: float tensor (rows, dim) with a static number of rows; or a list of such
            tensors or variables, its blocks. Each block is cast to the queries' dtype
            while it is searched.
        k: int. Number of rows per query; all rows if the table has fewer.
        bias: optional float32 tensor (rows,), added to the products.
        block: int. Rows of one tensor that are searched at a time.
        more: optional function of `(start, end)` that returns a float32 tensor (batch,
            end - start), added to the products with these rows.

    Returns:
        Row ids, int32 (batch, k), and products, float32 (batch, k), largest first;
        among equal products the lower row comes first.

    Example:

    >>> table = tf.constant([[1.0, 5], [3, 4], [2, 6]])
    >>> ids, products = find_top_rows(tf.eye(2), table, 2)
    >>> ids.numpy().tolist(), products.numpy().tolist()
    ([[1, 2], [2, 0]], [[3.0, 2.0], [6.0, 5.0]])
    """
    ids = products = None
    end = 0
    for rows in _split(table, block):
        start, end = end, end + rows.shape[0]
        # One block at a time: TensorFlow would cast and multiply all of them at once.
        with tf.control_dependencies([] if ids is None else [ids]):
            rows = tf.cast(rows, queries.dtype)
            scores = tf.cast(tf.matmul(queries, rows, transpose_b=True), tf.float32)
        if bias is not None:
            scores += bias[start:end]
        if more is not None:
            scores += more(start, end)
        scores, places = tf.math.top_k(scores, min(k, end - start))  # (batch, k)
        places += start
        if ids is not None:
            both = tf.concat([products, scores], axis=1)
            scores, order = tf.math.top_k(both, min(k, both.shape[1]))
            both = tf.concat([ids, places], axis=1)
            places = tf.gather(both, order, batch_dims=1)
        ids, products = places, scores
    return ids, products


def _split(table, block):
    """The blocks of a table."""
    if isinstance(table, list):
        return table
    num_rows = table.shape[0]
    if num_rows <= block:
        return [table]
    return [table[start : start + block] for start in range(0, num_rows, block)]
