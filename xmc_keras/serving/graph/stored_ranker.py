"""Ranker with a label table in fewer bits."""

import numpy as np
import tensorflow as tf
from keras import ops

from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker

LEVELS = 127  # of int8, on each side of zero


class StoredRanker(DynamicCandidateRanker):
    """A `DynamicCandidateRanker` with a float16 or int8 label table.

    Only the gathered rows of the candidates are converted back to floats. This reads
    less memory than a float32 table, so answers are not slower. Each int8 row has its
    own scale, its largest magnitude divided by 127. The scale multiplies the product,
    not the row.

    Args:
        stored: `"float16"` or `"int8"`. dtype of the label table.
        **kwargs: same as in `DynamicCandidateRanker`.

    Example:

    >>> ranker = DynamicCandidateRanker(num_labels=5, bottleneck_dim=3)
    >>> features, candidates = np.ones((1, 8), "float32"), np.array([[4, 0, -1]])
    >>> logits = ranker(features, candidates)
    >>> small = StoredRanker.of(ranker, "int8")
    >>> bool(abs(small(features, candidates) - logits).numpy().max() < 0.1)
    True
    """

    def __init__(self, stored, **kwargs):
        super().__init__(**kwargs)
        if stored not in ("float16", "int8"):
            raise ValueError(
                f'Expected `stored` to be "float16" or "int8". Received: {stored}'
            )
        self.stored = stored

    @classmethod
    def of(cls, ranker, stored):
        """Converts a built `DynamicCandidateRanker`."""
        small = cls(stored=stored, **ranker.get_config())
        features_shape = (None, ranker.bottleneck.kernel.shape[0])
        small.build(features_shape, (None, None))
        small.bottleneck.set_weights(ranker.bottleneck.get_weights())
        table = ops.convert_to_numpy(ops.cast(ranker.label_embeddings, "float32"))
        if stored == "int8":
            table, scales = quantize_rows(table)
            small.label_scales.assign(scales)
        small.label_embeddings.assign(table.astype(stored))
        return small

    def build(self, features_shape, candidates_shape, places_shape=None):
        self.bottleneck.build(features_shape)
        self.label_embeddings = self.add_weight(
            shape=(self.num_labels, self.bottleneck_dim),
            initializer="zeros",
            dtype=self.stored,
            trainable=False,
            autocast=False,
            name="label_embeddings",
        )
        if self.stored == "int8":
            self.label_scales = self.add_weight(
                shape=(self.num_labels,),
                initializer="ones",
                trainable=False,
                name="label_scales",
            )
        self.built = True

    def products(self, hidden, label_ids):
        products = super().products(hidden, label_ids)
        if self.stored == "int8":
            products *= tf.gather(self.label_scales.value, label_ids)
        return products

    def get_config(self):
        return {**super().get_config(), "stored": self.stored}


def quantize_rows(table):
    """Rounds rows to int8, each with a scale of its own.

    Args:
        table: float array (num_labels, dim).

    Returns:
        `(rows, scales)`: int8 array of the same shape and float32 array (num_labels,).
        `rows * scales[:, None]` is nearly the table.

    Example:

    >>> rows, scales = quantize_rows(np.array([[1.0, -0.5], [0.0, 0.0]]))
    >>> rows.tolist()
    [[127, -64], [0, 0]]
    """
    largest = np.abs(table).max(axis=1)
    scales = (np.where(largest > 0, largest, 1) / LEVELS).astype(np.float32)
    return np.rint(table / scales[:, None]).astype(np.int8), scales
