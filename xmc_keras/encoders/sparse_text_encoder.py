"""LightDXML's text representation: weighted words, no transformer."""

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.encoders.spectral_dense import SpectralDense
from xmc_keras.ops.row_pools import row_pool
from xmc_keras.ops.xla import in_xla


@keras.saving.register_keras_serializable(package="xmc_keras")
class SparseTextEncoder(keras.layers.Layer):
    """Encodes weighted words by the sum of their embeddings and a residual block.

    Takes a dictionary of `token_ids` (batch, n) int32, padded with `-1`, and
    `token_weights` (batch, n) float32, for example TF-IDF rows of norm 1. Returns
    features (batch, dim): `z` is the weighted sum of the token embeddings after relu
    and dropout; the feature is `z + dropout(relu(R z + b))`, where `R` starts as the
    identity and is divided by its largest singular value.

    Only the embeddings of the tokens in a batch are read, each once for all documents
    that contain the token, and only they receive a gradient (`tf.IndexedSlices`). If a
    document lists a token twice, its weights are added. A document without tokens has
    the features of a text without known words.

    Args:
        num_features: int. Number of tokens, the rows of the embedding table.
        dim: int. Width of a token embedding and of the features. Defaults to `300`.
        dropout: float. Dropout rate of both parts. Defaults to `0.5`.
        residual: bool. `False` returns `z` alone. Defaults to `True`.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> encoder = SparseTextEncoder(num_features=50, dim=4)
    >>> inputs = {"token_ids": np.array([[7, 3, -1]], "int32"),
    ...           "token_weights": np.array([[0.6, 0.8, 0.0]], "float32")}
    >>> encoder(inputs).shape
    TensorShape([1, 4])

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section 3;
        [DeepXML](https://arxiv.org/abs/2111.06685), whose Astec uses this encoder.
    """

    def __init__(self, num_features, dim=300, dropout=0.5, residual=True, **kwargs):
        super().__init__(**kwargs)
        if num_features < 1 or dim < 1:
            raise ValueError(
                "Expected `num_features` and `dim` to be positive. "
                f"Received: num_features={num_features}, dim={dim}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"Expected `dropout` in [0, 1). Received: dropout={dropout}"
            )
        self.num_features = num_features
        self.dim = dim
        self.dropout = dropout
        self.residual = residual
        self.dropouts = [keras.layers.Dropout(dropout, dtype=self.dtype_policy)]
        self.block = None
        if residual:
            self.dropouts.append(keras.layers.Dropout(dropout, dtype=self.dtype_policy))
            self.block = SpectralDense(dim, dtype=self.dtype_policy, name="residual")

    def build(self, inputs_shape):
        self.token_embeddings = self.add_weight(
            shape=(self.num_features, self.dim),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
            autocast=False,
            name="token_embeddings",
        )
        if self.block is not None:
            self.block.build((None, self.dim))
        self.built = True

    def call(self, inputs, training=None):
        token_ids = ops.cast(inputs["token_ids"], "int32")  # (batch, n)
        weights = ops.cast(inputs["token_weights"], "float32")
        sum_of = sum_gathered if in_xla() else sum_pooled
        z = sum_of(self.token_embeddings.value, token_ids, weights)
        z = ops.cast(ops.relu(z), self.compute_dtype)  # (batch, dim)
        z = self.dropouts[0](z, training=training)
        if self.block is None:
            return z
        hidden = ops.relu(self.block(z, training=training))
        return z + self.dropouts[1](hidden, training=training)

    def compute_output_shape(self, inputs_shape):
        return (inputs_shape["token_ids"][0], self.dim)

    def compute_output_spec(self, inputs, training=None):
        batch = inputs["token_ids"].shape[0]
        return keras.KerasTensor((batch, self.dim), self.compute_dtype)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_features": self.num_features,
                "dim": self.dim,
                "dropout": self.dropout,
                "residual": self.residual,
            }
        )
        return config


def sum_pooled(table, token_ids, weights):
    """Weighted sums (batch, dim) of table rows by ids (batch, n); reads a row once."""
    pool, places = row_pool(token_ids, table.shape[0])
    real = tf.where(token_ids >= 0)  # (tokens, 2)
    places = tf.cast(tf.gather_nd(places, real), tf.int64)
    # Documents are in order, but places within a document are not: the product does
    # not need it, and sorting would cost as much as the product.
    bag = tf.SparseTensor(
        tf.stack([real[:, 0], places], axis=1),
        tf.gather_nd(weights, real),
        tf.stack([tf.shape(token_ids, tf.int64)[0], tf.size(pool, tf.int64)]),
    )  # (batch, pool)
    return tf.sparse.sparse_dense_matmul(bag, tf.gather(table, pool))


def sum_gathered(table, token_ids, weights):
    """The same with static shapes for XLA; reads a row for each id."""
    rows = tf.gather(table, ops.maximum(token_ids, 0))  # (batch, n, dim)
    return ops.einsum("bn,bnd->bd", ops.where(token_ids < 0, 0.0, weights), rows)
