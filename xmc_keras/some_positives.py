"""Some of the labels of a document."""

import keras
import tensorflow as tf
from keras import ops


def some_positives(label_ids, most, seed):
    """At most so many label ids a row, drawn at random where there are more.

    Args:
        label_ids: int32 tensor (batch, positives), `-1` pads.
        most: int.
        seed: `keras.random.SeedGenerator`.

    Returns:
        int32 tensor (batch, min(positives, most)), `-1` pads at the row ends.

    Example:

    >>> seed = keras.random.SeedGenerator(0)
    >>> some_positives(tf.constant([[4, -1, -1], [5, -1, 6]]), 2, seed).shape
    TensorShape([2, 2])

    Reference:
        The published code of [LightDXML](https://arxiv.org/abs/2304.11045) learns on
        20 positives of a document.
    """
    width = ops.shape(label_ids)[1]

    def drawn():
        keys = keras.random.uniform(ops.shape(label_ids), seed=seed)
        keys = ops.where(label_ids < 0, -1.0, keys)
        places = tf.math.top_k(keys, min_of(width, most)).indices
        return tf.gather(label_ids, places, batch_dims=1)

    if isinstance(width, int):
        return label_ids if width <= most else drawn()
    return tf.cond(width <= most, lambda: label_ids, drawn)


def min_of(a, b):
    return min(a, b) if isinstance(a, int) else tf.minimum(a, b)
