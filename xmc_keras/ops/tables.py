"""Tables of rows as weights, and the search in them."""

import math
import random

import numpy as np
import tensorflow as tf

ROWS = 10_000  # filled at a time


def add_table_weight(layer, num_rows, dim, name, dtype="float32"):
    """Adds a weight whose rows are gathered, drawn as by `GlorotUniform`.

    An initializer has the memory of three such tables, for what it draws, for what it
    scales, and for what it hands over. Here the rows are drawn some at a time and
    written in place, unless the layer is being built within a graph or for several
    devices, where the table is not there yet.

    Args:
        layer: a `keras.layers.Layer` in its `build`.
        num_rows, dim: int.
        name: string.
        dtype: string. Defaults to `"float32"`.

    Returns:
        The weight, a `keras.Variable` that is never autocast.

    Example:

    >>> import keras
    >>> table = add_table_weight(keras.layers.Layer(), 3, 5, name="table")
    >>> bool((0 < abs(table.numpy())).all() and (abs(table.numpy()) < 0.87).all())
    True
    """
    at_once = not tf.executing_eagerly() or tf.distribute.has_strategy()
    table = layer.add_weight(
        shape=(num_rows, dim),
        initializer="glorot_uniform" if at_once else "zeros",
        dtype=dtype,
        autocast=False,
        name=name,
    )
    if at_once:
        return table
    # Python's generator is the one that Keras seeds, so runs can be repeated.
    random_numbers = np.random.default_rng(random.getrandbits(32))
    limit = math.sqrt(6 / (num_rows + dim))
    for start in range(0, num_rows, ROWS):
        ids = tf.range(start, min(start + ROWS, num_rows))
        rows = limit * (2 * random_numbers.random((len(ids), dim), "float32") - 1)
        rows = tf.cast(rows, dtype)
        table.value.scatter_update(tf.IndexedSlices(rows, ids))
    return table


BLOCK = 2**17  # rows of the table at a time


def find_top_rows(queries, table, k, bias=None, block=BLOCK, more=None):
    """The `k` rows of a table that have the largest products with each query.

    Computed block by block, the best so far carried along, so memory holds (batch,
    block) products and never (batch, rows).

    Args:
        queries: float tensor (batch, dim).
        table: float tensor (rows, dim) of the same dtype; the number of rows is known
            when a graph is made.
        k: int. Rows to keep, or all if there are fewer.
        bias: optional float32 tensor (rows,), added to the products.
        block: int. Rows at a time.
        more: optional function of `(start, end)`. What it returns, float32 (batch,
            end - start), is added to the products with these rows.

    Returns:
        ids int32 (batch, k) and products float32 (batch, k), best first; of equal
        ones the first row.

    Example:

    >>> table = tf.constant([[1.0, 5], [3, 4], [2, 6]])
    >>> ids, products = find_top_rows(tf.eye(2), table, 2)
    >>> ids.numpy().tolist(), products.numpy().tolist()
    ([[1, 2], [2, 0]], [[3.0, 2.0], [6.0, 5.0]])
    """
    num_rows = table.shape[0]
    ids = products = None
    for start in range(0, num_rows, block):
        end = min(start + block, num_rows)
        part = table if end - start == num_rows else table[start:end]
        found = tf.cast(tf.matmul(queries, part, transpose_b=True), tf.float32)
        if bias is not None:
            found += bias[start:end]
        if more is not None:
            found += more(start, end)
        found, places = tf.math.top_k(found, min(k, end - start))
        places += start
        if ids is not None:
            both = tf.concat([products, found], axis=1)
            found, order = tf.math.top_k(both, min(k, both.shape[1]))
            both = tf.concat([ids, places], axis=1)
            places = tf.gather(both, order, batch_dims=1)
        ids, products = places, found
    return ids, products
