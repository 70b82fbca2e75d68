"""The labels whose embeddings are nearest to a text."""

import keras
from keras import ops

from xmc_keras.ops.tables import find_top_rows

ROWS = 2**14  # scaled at a time


@keras.saving.register_keras_serializable(package="xmc_keras")
class NearestLabels(keras.layers.Layer):
    """Exact search over normalised label embeddings, which it holds.

    Takes features (batch, dim) and returns label ids (batch, k) int32 and their
    cosines (batch, k) float32, nearest first. The embeddings are a weight that no
    gradient changes: `refresh` puts new ones in, and a saved model holds them.

    Args:
        num_labels: int. Rows of the table.
        k: int. Labels to return, or all if there are fewer. Defaults to `100`.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> layer = NearestLabels(num_labels=3, k=2)
    >>> layer.build((None, 2))
    >>> layer.refresh(np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 5.0]], "float32"))
    >>> ids, cosines = layer(np.array([[0.0, 7.0]], "float32"))
    >>> ids.numpy().tolist(), [round(float(c), 3) for c in cosines[0]]
    ([[2, 1]], [1.0, 0.707])

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Shortlisting", there
        with an approximate search (HNSW).
    """

    def __init__(self, num_labels, k=100, **kwargs):
        super().__init__(**kwargs)
        if num_labels < 1 or k < 1:
            raise ValueError(
                "Expected `num_labels` and `k` to be positive. "
                f"Received: num_labels={num_labels}, k={k}"
            )
        self.num_labels = num_labels
        self.k = k

    def build(self, features_shape):
        self.label_embeddings = self.add_weight(
            shape=(self.num_labels, features_shape[-1]),
            initializer="zeros",
            trainable=False,
            autocast=False,
            name="label_embeddings",
        )
        self.built = True

    def refresh(self, label_embeddings):
        """Takes new embeddings (num_labels, dim) in; they need not be of norm 1."""
        shape = tuple(self.label_embeddings.shape)
        if tuple(label_embeddings.shape) != shape:
            raise ValueError(
                f"Expected embeddings of shape {shape}. Received: "
                f"{tuple(label_embeddings.shape)}"
            )
        # As a whole: after an update of some rows TensorFlow would copy all of them
        # whenever they are read.
        self.label_embeddings.assign(normalize_table(label_embeddings))

    def call(self, features):
        table = self.label_embeddings.value
        return find_top_rows(self.directions(features), table, self.k)

    def cosines(self, features, label_ids):
        """Cosines (batch, n) float32 with labels (batch, n) int32, none of them a pad.

        For labels that another search found.
        """
        rows = ops.take(self.label_embeddings.value, label_ids, axis=0)
        return ops.matmul(rows, self.directions(features)[:, :, None])[:, :, 0]

    def directions(self, features):
        return normalize_rows(ops.cast(features, "float32"))

    def compute_output_shape(self, features_shape):
        shape = (features_shape[0], min(self.k, self.num_labels))
        return shape, shape

    def compute_output_spec(self, features):
        ids, _ = self.compute_output_shape(features.shape)
        return keras.KerasTensor(ids, "int32"), keras.KerasTensor(ids, "float32")

    def get_config(self):
        config = super().get_config()
        config.update({"num_labels": self.num_labels, "k": self.k})
        return config


def normalize_rows(rows):
    """Rows scaled to norm 1; a row of zeros stays one."""
    return rows / ops.maximum(ops.norm(rows, axis=-1, keepdims=True), 1e-12)


def normalize_table(rows):
    """An array (rows, dim) of millions as a float32 tensor of rows of norm 1.

    Works block by block: there is no room for the intermediate results of
    `normalize_rows`, nor for the copies that TensorFlow makes of a whole array.
    """
    blocks = range(0, len(rows), ROWS)
    return ops.concatenate(
        [
            normalize_rows(ops.convert_to_tensor(rows[i : i + ROWS], "float32"))
            for i in blocks
        ]
    )
