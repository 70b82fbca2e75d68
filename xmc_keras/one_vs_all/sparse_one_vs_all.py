"""Scores of all labels from the words of a document, by sparse weight rows."""

import keras
import scipy.sparse
import tensorflow as tf

from xmc_keras.ops.postings import invert_rows, sum_postings
from xmc_keras.ops.xla import in_xla

BLOCK = 2**14  # weights multiplied at a time under XLA


@keras.saving.register_keras_serializable(package="xmc_keras")
class SparseOneVsAll(keras.layers.Layer):
    """Linear classifier over words with a sparse weight row and a bias per label.

    Takes the input dictionary of a `SparseTextEncoder`, `token_ids` (batch, n) int32,
    padded with `-1`, and `token_weights` (batch, n), and returns logits (batch,
    num_labels) float32 of all labels. The rows are not trained by gradients: `refresh`
    sets them, for example to those of `fit_one_vs_all`. They are stored by word, so
    that a document reads only the weights of its own words. Under XLA, which needs
    static shapes, it reads all of them.

    Args:
        num_labels: int.
        num_features: int. Number of words.
        num_weights: int. Number of stored weights.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np, scipy.sparse
    >>> rows = scipy.sparse.csr_matrix([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])
    >>> layer = SparseOneVsAll(num_labels=2, num_features=3, num_weights=rows.nnz)
    >>> layer.refresh(rows, [-1.0, 0.0])
    >>> words = {"token_ids": np.array([[0, 1], [2, -1]], "int32"),
    ...          "token_weights": np.array([[0.5, 0.5], [1.0, 0.0]], "float32")}
    >>> layer(words).numpy().tolist()
    [[0.0, 0.5], [-1.0, 3.0]]

    Reference:
        [DiSMEC](https://arxiv.org/abs/1609.02521), one-vs-all with pruned weights.
    """

    def __init__(self, num_labels, num_features, num_weights, **kwargs):
        super().__init__(**kwargs)
        if num_labels < 1 or num_features < 1 or num_weights < 0:
            raise ValueError(
                "Expected `num_labels` and `num_features` to be positive and "
                f"`num_weights` not negative. Received: {num_labels}, {num_features}, "
                f"{num_weights}"
            )
        self.num_labels = int(num_labels)
        self.num_features = int(num_features)
        self.num_weights = int(num_weights)

    def build(self, inputs_shape=None):
        def table(name, size, dtype="float32"):
            return self.add_weight(
                shape=(size,),
                initializer="zeros",
                dtype=dtype,
                trainable=False,
                autocast=False,
                name=name,
            )

        self.starts = table("starts", self.num_features + 1, "int32")
        self.label_ids = table("label_ids", self.num_weights, "int32")
        self.label_weights = table("label_weights", self.num_weights)
        self.label_bias = table("label_bias", self.num_labels)
        self.built = True

    @property
    def postings(self):
        """The rows by word, see `invert_rows`, as tensors."""
        parts = self.starts, self.label_ids, self.label_weights
        return tuple(part.value for part in parts)

    def refresh(self, rows, bias):
        """Sets the weights.

        Args:
            rows: sparse matrix (num_labels, num_features) of `num_weights` entries.
            bias: array (num_labels,).
        """
        rows = scipy.sparse.csr_matrix(rows)
        shape = self.num_labels, self.num_features
        if rows.shape != shape or rows.nnz != self.num_weights:
            raise ValueError(
                f"Expected rows of shape {shape} with {self.num_weights} entries. "
                f"Received: shape {rows.shape} with {rows.nnz}"
            )
        if not self.built:
            self.build()
        tables = self.starts, self.label_ids, self.label_weights
        for table, values in zip(tables, invert_rows(rows)):
            table.assign(values)
        self.label_bias.assign(bias)

    def call(self, inputs):
        ids = tf.convert_to_tensor(inputs["token_ids"], tf.int32)  # (batch, n)
        weights = tf.cast(inputs["token_weights"], tf.float32)
        if in_xla():
            products = self._multiply_all(ids, weights)
        else:
            real = tf.where(ids >= 0)  # (words, 2)
            products = sum_postings(
                self.postings,
                self.num_labels,
                tf.gather_nd(ids, real),
                tf.cast(real[:, 0], tf.int32),
                tf.gather_nd(weights, real),
                tf.shape(ids)[0],
            )
        return tf.ensure_shape(products, [ids.shape[0], self.num_labels]) + (
            self.label_bias.value
        )

    def _multiply_all(self, ids, weights):
        """Products with all weights, in blocks of static size."""
        starts, label_ids, values = self.postings
        size = tf.shape(ids)[0]
        if not self.num_weights:  # XLA does not compile a loop without blocks
            return tf.zeros([size, self.num_labels])
        places = tf.stack([ids + 1, tf.zeros_like(ids) + tf.range(size)[:, None]], 2)
        words = tf.scatter_nd(
            places,
            tf.where(ids >= 0, weights, 0.0),
            [self.num_features + 1, size],
        )  # (words, batch)
        blocks = -(-self.num_weights // BLOCK)
        ends = blocks * BLOCK - self.num_weights
        owner = tf.searchsorted(starts, tf.range(self.num_weights), side="right")
        owner, label_ids, values = (
            tf.reshape(tf.pad(part, [[0, ends]]), [blocks, BLOCK])
            for part in (owner, label_ids, values)
        )

        def add(block, sums):
            products = values[block][:, None] * tf.gather(words, owner[block])
            return block + 1, sums + tf.math.unsorted_segment_sum(
                products, label_ids[block], self.num_labels
            )

        sums = tf.zeros([self.num_labels, size])
        _, sums = tf.while_loop(
            lambda block, sums: block < blocks,
            add,
            [0, sums],
            maximum_iterations=blocks,
        )
        return tf.transpose(sums)

    def compute_output_shape(self, inputs_shape=None):
        batch = None if inputs_shape is None else inputs_shape["token_ids"][0]
        return (batch, self.num_labels)

    def compute_output_spec(self, inputs):
        shape = (inputs["token_ids"].shape[0], self.num_labels)
        return keras.KerasTensor(shape, "float32")

    def get_config(self):
        config = super().get_config()
        for name in ("num_labels", "num_features", "num_weights"):
            config[name] = getattr(self, name)
        return config
