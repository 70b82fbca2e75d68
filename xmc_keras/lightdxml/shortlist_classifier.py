"""A linear classifier that scores only the labels of a shortlist."""

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.lightxml.dynamic_candidate_ranker import MASKED_LOGIT
from xmc_keras.ops.elementwise import check_initial_probability, logit
from xmc_keras.ops.tables import find_top_rows


@keras.saving.register_keras_serializable(package="xmc_keras")
class ShortlistClassifier(keras.layers.Layer):
    """Linear classifier with a weight row and a bias per label, for given labels only.

    Takes features (batch, dim) and candidates (batch, n) int32 label ids, padded with
    `-1`, and returns logits (batch, n) float32; pads get `MASKED_LOGIT`, whose sigmoid
    and gradient are zero. For distinct candidates (pool,), the same labels for all
    documents of a batch, it returns logits (batch, pool): each row is read once, and
    one matrix product scores all documents. Given also `places` (batch, n) int32 in
    this pool, padded with `-1`, it returns only these logits (batch, n): the cheapest
    way to score each document's own candidates if documents share them.

    Only the rows of candidates are read and receive a gradient (`tf.IndexedSlices`).

    Args:
        num_labels: int. Rows of the table.
        initial_probability: float. Score of every label before training, set by its
            bias. Defaults to `0.5`, a bias of zero.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> classifier = ShortlistClassifier(num_labels=5)
    >>> logits = classifier(np.ones((2, 8), "float32"), np.array([[4, 0], [1, -1]]))
    >>> logits.shape, float(logits[1, 1])
    (TensorShape([2, 2]), -1000000000.0)

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Classifier training".
    """

    def __init__(self, num_labels, initial_probability=0.5, **kwargs):
        super().__init__(**kwargs)
        if num_labels < 1:
            raise ValueError(
                "Expected `num_labels` to be positive. "
                f"Received: num_labels={num_labels}"
            )
        check_initial_probability(initial_probability)
        self.num_labels = num_labels
        self.initial_probability = initial_probability

    def build(self, features_shape, candidates_shape=None, places_shape=None):
        self.label_weights = self.add_weight(
            shape=(self.num_labels, features_shape[-1]),
            initializer="glorot_uniform",
            autocast=False,
            name="label_weights",
        )
        self.label_bias = self.add_weight(
            shape=(self.num_labels,),
            initializer=keras.initializers.Constant(logit(self.initial_probability)),
            autocast=False,
            name="label_bias",
        )
        self.built = True

    def call(self, features, candidates, places=None):
        candidates = ops.cast(candidates, "int32")
        if places is not None:
            logits = self.logits(features, candidates)  # (batch, pool)
            logits = tf.gather(logits, ops.maximum(places, 0), batch_dims=1)
            return ops.where(places < 0, MASKED_LOGIT, logits)
        if len(candidates.shape) == 1:
            return self.logits(features, candidates)
        # A pad reads a row that its document reads anyway.
        substitute = ops.maximum(ops.max(candidates, axis=1, keepdims=True), 0)
        ids = ops.where(candidates < 0, substitute, candidates)
        logits = self.logits(features, ids)
        return ops.where(candidates < 0, MASKED_LOGIT, logits)

    def logits(self, features, label_ids):
        """Logits float32 of label ids (batch, n) or (pool,) without padding."""
        rows = tf.gather(self.label_weights.value, label_ids)
        rows = ops.cast(rows, self.compute_dtype)  # (batch, n, dim) or (pool, dim)
        if len(rows.shape) == 2:
            products = tf.matmul(features, rows, transpose_b=True)
        else:
            products = ops.matmul(rows, features[:, :, None])[:, :, 0]
        bias = tf.gather(self.label_bias.value, label_ids)
        return ops.cast(products, "float32") + bias

    def best(self, features, k, more=None):
        """Ids and logits (batch, k) of the `k` labels with the highest logits.

        `more` is added to the logits before they are compared, see `find_top_rows`.
        """
        table = ops.cast(self.label_weights.value, self.compute_dtype)
        return find_top_rows(features, table, k, self.label_bias.value, more=more)

    def compute_output_shape(
        self, features_shape, candidates_shape=None, places_shape=None
    ):
        if places_shape is not None:
            return places_shape
        candidates = None if candidates_shape is None else candidates_shape[-1]
        return (features_shape[0], candidates)

    def compute_output_spec(self, features, candidates, places=None):
        shapes = [x if x is None else x.shape for x in (features, candidates, places)]
        return keras.KerasTensor(self.compute_output_shape(*shapes), "float32")

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_labels": self.num_labels,
                "initial_probability": self.initial_probability,
            }
        )
        return config
