"""First values of a large table."""

import math
import random

import numpy as np
import tensorflow as tf

ROWS = 10_000  # at a time


def fill_glorot_uniform(table):
    """Fills a table as `keras.initializers.GlorotUniform`, some rows at a time.

    A Keras initializer takes the memory of three such tables: for what it draws, for
    what it scales, and for what it hands over.

    Args:
        table: `keras.Variable` (rows, dim) of zeros, made with `autocast=False`.

    Example:

    >>> import keras
    >>> table = keras.Variable(np.zeros((3, 5)), dtype="float32", autocast=False)
    >>> fill_glorot_uniform(table)
    >>> bool((0 < abs(table.numpy())).all() and (abs(table.numpy()) < 0.87).all())
    True
    """
    # Python's generator is the one that Keras seeds, so runs can be repeated.
    random_numbers = np.random.default_rng(random.getrandbits(32))
    num_rows, dim = table.shape
    limit = math.sqrt(6 / (num_rows + dim))
    with tf.init_scope():  # because `fit` may build within a graph
        for start in range(0, num_rows, ROWS):
            ids = tf.range(start, min(start + ROWS, num_rows))
            rows = random_numbers.random((len(ids), dim), "float32")
            rows = tf.cast(limit * (2 * rows - 1), table.dtype)
            table.value.scatter_update(tf.IndexedSlices(rows, ids))
