"""A large table as a weight of a layer."""

import math
import random

import numpy as np
import tensorflow as tf

ROWS = 10_000  # filled at a time


def add_table(layer, num_rows, dim, name, dtype="float32"):
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
    >>> table = add_table(keras.layers.Layer(), 3, 5, name="table")
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
