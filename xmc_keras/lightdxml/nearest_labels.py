"""Exact search for the nearest label embeddings."""

import keras
from keras import ops

from xmc_keras.ops.tables import find_top_rows

ROWS = 2**14  # rows scaled at a time


@keras.saving.register_keras_serializable(package="xmc_keras")
class NearestLabels(keras.layers.Layer):
    """Holds label embeddings of norm 1 and finds those nearest to features.

    Takes features (batch, dim) and returns label ids (batch, k) int32 and their
    cosines (batch, k) float32, nearest first. The embeddings are a non-trainable
    weight: `refresh` replaces them, and they are saved with the model.

    Args:
        num_labels: int. Rows of the table.
        k: int. Labels to return; all if there are fewer. Defaults to `100`.
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
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Shortlisting", which
        searches approximately (HNSW).
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
        """Replaces the embeddings (num_labels, dim), which may have any norm."""
        shape = tuple(self.label_embeddings.shape)
        if tuple(label_embeddings.shape) != shape:
            raise ValueError(
                f"Expected embeddings of shape {shape}. Received: "
                f"{tuple(label_embeddings.shape)}"
            )
        # Assigned as a whole: after an update of some rows TensorFlow would copy the
        # table at every read.
        self.label_embeddings.assign(normalize_table(label_embeddings))

    def call(self, features):
        table = self.label_embeddings.value
        return find_top_rows(self.directions(features), table, self.k)

    def cosines(self, features, label_ids):
        """Cosines (batch, n) float32 with label ids (batch, n) int32 without padding.

        For labels found by another search.
        """
        rows = ops.take(self.label_embeddings.value, label_ids, axis=0)
        return ops.matmul(rows, self.directions(features)[:, :, None])[:, :, 0]

    def directions(self, features):
        """Features (batch, dim) float32 scaled to norm 1."""
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
    """Scales rows to norm 1; a row of zeros stays zero."""
    return rows / ops.maximum(ops.norm(rows, axis=-1, keepdims=True), 1e-12)


def normalize_table(rows):
    """Scales a large array (rows, dim) to a float32 tensor of rows of norm 1.

    Works in blocks: millions of rows leave no memory for the intermediate results of
    `normalize_rows`, nor for TensorFlow's copies of the whole array.
    """
    blocks = range(0, len(rows), ROWS)
    return ops.concatenate(
        [
            normalize_rows(ops.convert_to_tensor(rows[i : i + ROWS], "float32"))
            for i in blocks
        ]
    )
