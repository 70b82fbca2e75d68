"""The ranker of LightXML, which scores candidate labels."""

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.ops.distribution.sharded_products import sharded_products
from xmc_keras.ops.distribution.sharded_table import (
    check_whole,
    deal_rows,
    is_sharded,
)
from xmc_keras.ops.elementwise import (
    check_initial_probability,
    find_repeated,
    logit,
)
from xmc_keras.ops.tables import add_table_weight

MASKED_LOGIT = -1e9


@keras.saving.register_keras_serializable(package="xmc_keras")
class DynamicCandidateRanker(keras.layers.Layer):
    """Scores the candidate labels of a text by their label embeddings.

    Takes features (batch, dim) and candidates (batch, num_candidates) int32 label
    ids, padded with `-1`, and returns logits (batch, num_candidates) float32:
    a bottleneck projects the text, and a candidate's logit is the inner product
    with its row of the label table. Only the rows of candidates are read and
    receive a gradient, so the cost of a step depends on the number of candidates, not
    of labels. Padding and every repeat of a label within a row get `MASKED_LOGIT`,
    whose sigmoid and gradient are zero.

    Documents of a batch that share candidates can also share their rows: given
    `places`, `candidates` is one list (pool,) of distinct label ids for the whole
    batch, and the candidates of a document are its `places` (batch, num_candidates)
    int32 in this list, padded with `-1`. Each row is then read once for all documents,
    one matrix product scores them, and each row appears once in the gradient.
    `ClusterGenerator.pool` returns both.

    Args:
        num_labels: int. Rows of the label table.
        bottleneck_dim: int. Width of a label embedding. Defaults to `300`.
        bottleneck_activation: activation name or function of the bottleneck.
            `"sigmoid"` is equation 4 of the paper, `None` the authors' code.
            Defaults to `None`.
        initial_probability: float. Score of every label before training, set by a
            constant added to all logits; see `ClusterGenerator`. The paper has no such
            constant, which equals `0.5`. Defaults to `0.01`.
        mask_repeats: bool. `False` saves a sort if candidates never repeat, such as
            those of a `ClusterGenerator`. Defaults to `True`.
        table_dtype: `"float32"`, or `"bfloat16"` for a label table of half the size,
            to be trained by a `RowwiseAdamW`. Defaults to `"float32"`.
        shard_rows: optional int. Deals the rows of the table out over the replicas of
            the `tf.distribute` strategy that the layer is built under, in groups of
            this many: the size of clusters, see `RowShards`. The layer then works
            within a step of the strategy alone, and `get_config` is that of a layer
            with a whole table. Defaults to `None`: each replica has all rows.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> ranker = DynamicCandidateRanker(num_labels=5, bottleneck_dim=3)
    >>> logits = ranker(np.ones((1, 8), "float32"), np.array([[4, 0, 4, -1]]))
    >>> [float(x) for x in logits[0, 2:]]
    [-1000000000.0, -1000000000.0]

    Reference:
        [LightXML](https://arxiv.org/abs/2101.03305), section "Label ranking",
        equations 3 and 4.
    """

    def __init__(
        self,
        num_labels,
        bottleneck_dim=300,
        bottleneck_activation=None,
        initial_probability=0.01,
        mask_repeats=True,
        table_dtype="float32",
        shard_rows=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_labels < 1 or bottleneck_dim < 1:
            raise ValueError(
                "Expected `num_labels` and `bottleneck_dim` to be positive. "
                f"Received: num_labels={num_labels}, "
                f"bottleneck_dim={bottleneck_dim}"
            )
        self.num_labels = num_labels
        self.bottleneck_dim = bottleneck_dim
        self.bottleneck_activation = keras.activations.get(bottleneck_activation)
        check_initial_probability(initial_probability)
        self.initial_probability = initial_probability
        self.mask_repeats = mask_repeats
        if table_dtype not in ("float32", "bfloat16"):
            raise ValueError(
                'Expected `table_dtype` to be "float32" or "bfloat16". '
                f"Received: table_dtype={table_dtype}"
            )
        self.table_dtype = table_dtype
        self.shard_rows = shard_rows
        if shard_rows:
            deal_rows(num_labels, shard_rows)  # raises if there are too few
        self.bottleneck = keras.layers.Dense(
            bottleneck_dim,
            activation=self.bottleneck_activation,
            dtype=self.dtype_policy,
            name="bottleneck",
        )

    def build(self, features_shape, candidates_shape, places_shape=None):
        self.bottleneck.build(features_shape)
        shards = self.shard_rows and deal_rows(self.num_labels, self.shard_rows)
        self.label_embeddings = add_table_weight(
            self,
            self.num_labels,
            self.bottleneck_dim,
            name="label_embeddings",
            dtype=self.table_dtype,
            shards=shards,
        )
        self.built = True

    @property
    def is_sharded(self):
        """Whether each replica holds other rows of the table."""
        return self.built and is_sharded(self.label_embeddings)

    def logits(self, features, label_ids):
        """Logits (batch, n) float32 of label ids (batch, n) without padding.

        For label ids (pool,), the same for all texts, logits (batch, pool).
        """
        hidden = self.bottleneck(features)  # (batch, dim)
        products = self.products(hidden, label_ids)
        return ops.cast(products, "float32") + logit(self.initial_probability)

    def products(self, hidden, label_ids):
        """Inner products of `hidden` (batch, dim) with the rows of labels."""
        if self.is_sharded:
            return sharded_products(hidden, label_ids, self.label_embeddings)
        # `.value` of a weight without autocast: any other way to gather reads or casts
        # the whole table in every step.
        rows = tf.gather(self.label_embeddings.value, label_ids)
        rows = ops.cast(rows, self.compute_dtype)  # (batch, n, dim) or (pool, dim)
        if len(rows.shape) == 2:
            return tf.matmul(hidden, rows, transpose_b=True)
        return ops.matmul(rows, hidden[:, :, None])[:, :, 0]

    def call(self, features, candidates, places=None):
        candidates = ops.cast(candidates, "int32")
        if self.is_sharded and places is not None:
            found = tf.gather(candidates, ops.maximum(places, 0))
            candidates, places = ops.where(places < 0, -1, found), None
        if places is not None:
            logits = self.logits(features, candidates)  # (batch, pool)
            logits = tf.gather(logits, ops.maximum(places, 0), batch_dims=1)
            return ops.where(places < 0, MASKED_LOGIT, logits)
        ids, masked = candidates, candidates < 0
        if not self.is_sharded:
            # A pad reads a row that its document reads anyway: with row 0 the optimizer
            # would update the first label in every step.
            substitute = ops.maximum(ops.max(candidates, axis=1, keepdims=True), 0)
            ids = ops.where(masked, substitute, candidates)
        logits = self.logits(features, ids)
        if self.mask_repeats:
            masked = masked | find_repeated(candidates)
        return ops.where(masked, MASKED_LOGIT, logits)

    def save_own_variables(self, store):
        check_whole([self.label_embeddings])
        super().save_own_variables(store)

    def compute_output_shape(self, features_shape, candidates_shape, places_shape=None):
        return candidates_shape if places_shape is None else places_shape

    def compute_output_spec(self, features, candidates, places=None):
        shape = candidates.shape if places is None else places.shape
        return keras.KerasTensor(shape, "float32")

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_labels": self.num_labels,
                "bottleneck_dim": self.bottleneck_dim,
                "bottleneck_activation": keras.activations.serialize(
                    self.bottleneck_activation
                ),
                "initial_probability": self.initial_probability,
                "mask_repeats": self.mask_repeats,
                "table_dtype": self.table_dtype,
            }
        )
        return config
