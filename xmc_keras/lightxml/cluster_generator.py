"""The generator of LightXML, which recalls label clusters."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from xmc_keras.ops.elementwise import check_initial_probability, isin, logit
from xmc_keras.ops.row_pools import candidate_pool


@keras.saving.register_keras_serializable(package="xmc_keras")
class ClusterGenerator(keras.layers.Layer):
    """Scores label clusters and returns the labels of the best ones as candidates.

    Takes features (batch, dim) and returns three tensors:

    - `cluster_logits` (batch, num_clusters) float32;
    - `candidates` (batch, num_candidates) int32 label ids, padded with `-1`, without
      repeats. `num_candidates` is `top_k * cluster_size`, plus the width of
      `label_ids` if these are given;
    - `candidate_cluster_logits` (batch, num_candidates) float32, the logit of
      each candidate's own cluster.

    Given the `label_ids` of training documents, the clusters of these labels come
    first and the generator's best clusters fill the rest. So the negatives are the
    siblings of the positives and the labels that the generator currently ranks
    highest. Labels whose clusters do not fit into `top_k` are appended one by one: no
    positive is ever lost, however many there are.

    Args:
        clusters: int array (num_clusters, cluster_size). Label ids, each of
            `0 .. num_labels - 1` exactly once, padded with `-1`. Stored as a weight,
            so a saved model needs no other file.
        top_k: int. Number of clusters to keep, at most `num_clusters`.
        initial_probability: float. Score of every cluster before training. At 0.5 the
            first steps only push thousands of scores down, with gradients so large
            that Adam's second moment stays inflated, and its steps small, for a
            thousand more steps. Defaults to `0.01`.
        **kwargs: other arguments of `keras.layers.Layer`.

    Call arguments:
        features: float tensor (batch, dim).
        label_ids: optional int32 tensor (batch, positives), padded with `-1`. The known
            labels of training documents; omit to predict.
        cluster_ids: optional int32 tensor (batch, clusters), padded with `-1`. Fixed
            clusters, kept before the generator's own choice: the static negatives of
            the paper's table 5.

    Example:

    >>> import numpy as np
    >>> generator = ClusterGenerator([[0, 3], [1, 4], [2, -1]], top_k=2)
    >>> logits, candidates, _ = generator(np.ones((1, 8), "float32"))
    >>> logits.shape, candidates.shape
    (TensorShape([1, 3]), TensorShape([1, 4]))

    Reference:
        [LightXML](https://arxiv.org/abs/2101.03305), section "Label recalling",
        equations 1 and 2. The small initial probability:
        [Focal loss](https://arxiv.org/abs/1708.02002), section 3.3.
    """

    def __init__(self, clusters, top_k, initial_probability=0.01, **kwargs):
        super().__init__(**kwargs)
        clusters = np.asarray(clusters, "int32")
        labels = np.sort(clusters[clusters >= 0])
        if clusters.ndim != 2 or not np.array_equal(labels, np.arange(labels.size)):
            raise ValueError(
                "Expected `clusters` to be an array (num_clusters, "
                "cluster_size) with each label id from 0 exactly once. "
                f"Received: an array of shape {clusters.shape} with "
                f"{labels.size} label ids, {np.unique(labels).size} distinct"
            )
        self.num_clusters, self.cluster_size = map(int, clusters.shape)
        self.num_labels = int(labels.size)
        if not 1 <= top_k <= self.num_clusters:
            raise ValueError(
                "Expected `top_k` between 1 and the number of clusters. "
                f"Received: top_k={top_k}, num_clusters={self.num_clusters}"
            )
        check_initial_probability(initial_probability)
        self.top_k = top_k
        self.initial_probability = initial_probability
        self.num_candidates = top_k * self.cluster_size  # without label_ids
        self.num_rows = self.num_clusters * self.cluster_size
        self._table = clusters

    def build(self, features_shape, label_ids_shape=None, cluster_ids_shape=None):
        rows = np.flatnonzero(self._table >= 0)
        label_rows = np.empty(self.num_labels, "int32")
        label_rows[self._table.flat[rows]] = rows
        self.clusters = self._constant("clusters", self._table)
        self.label_rows = self._constant("label_rows", label_rows)
        self.kernel = self.add_weight(
            shape=(features_shape[-1], self.num_clusters), name="kernel"
        )
        self.bias = self.add_weight(
            shape=(self.num_clusters,),
            initializer=keras.initializers.Constant(logit(self.initial_probability)),
            name="bias",
        )
        self.built = True

    def _constant(self, name, values):
        # int64, because TensorFlow keeps int32 variables in host memory, where
        # functions compiled by XLA for a GPU cannot read them.
        return self.add_weight(
            shape=values.shape,
            dtype="int64",
            initializer=lambda shape, dtype: ops.convert_to_tensor(values, dtype),
            trainable=False,
            name=name,
        )

    def rows_of(self, label_ids):
        """Positions of label ids in the flattened `clusters`, `-1` if not in them.

        Pads are not, nor are labels after the last one of the clusters, which
        evaluation data may contain: relevant but unreachable. A table of `num_rows`
        rows in this order holds the labels of a cluster as one block.
        """
        known = (label_ids >= 0) & (label_ids < self.num_labels)
        rows = tf.gather(self.label_rows.value, ops.where(known, label_ids, 0))
        return ops.where(known, ops.cast(rows, "int32"), -1)

    def clusters_of(self, label_ids):
        """Cluster ids of label ids, of the same shape; `-1` if not in `clusters`."""
        return self.rows_of(label_ids) // self.cluster_size

    def pool(self, candidates):
        """The rows of all candidates of a batch, each once; see `candidate_pool`.

        Args:
            candidates: int32 tensor (batch, num_candidates), as returned by `call`.
        """
        # The kept clusters, and one for each single label.
        most = self.top_k + ops.shape(candidates)[1] - self.num_candidates
        rows = self.rows_of(candidates)
        return candidate_pool(rows, self.num_clusters, self.cluster_size, most)

    def multi_hot(self, cluster_ids):
        """Maps ids (batch, n), padded with `-1`, to (batch, num_clusters) float32."""
        batch = ops.shape(cluster_ids)[0]
        rows = ops.broadcast_to(ops.arange(batch)[:, None], ops.shape(cluster_ids))
        # Pads go to a column of their own, which is cut off at the end.
        columns = ops.where(cluster_ids < 0, self.num_clusters, cluster_ids)
        hot = tf.tensor_scatter_nd_update(
            tf.zeros((batch, self.num_clusters + 1)),
            ops.stack([rows, columns], axis=-1),
            tf.ones(ops.shape(cluster_ids)),
        )
        return hot[:, : self.num_clusters]

    def cluster_logits(self, features):
        """Cluster logits (batch, num_clusters) float32 of features (batch, dim)."""
        logits = ops.matmul(ops.cast(features, self.compute_dtype), self.kernel)
        return ops.cast(ops.add(logits, self.bias), "float32")

    def own_logits(self, logits, label_ids):
        """The logit of each label's own cluster, of the shape of `label_ids`.

        At pads it is the logit of an arbitrary cluster.
        """
        clusters = ops.maximum(self.clusters_of(label_ids), 0)
        return tf.gather(logits, clusters, batch_dims=1)

    def call(self, features, label_ids=None, cluster_ids=None):
        logits = self.cluster_logits(features)

        # Probabilities are within [0, 1], so adding 2 puts the fixed clusters first
        # and keeps the generator's order within each part (1 would be enough if a
        # float32 sigmoid never reached 1). Clusters of positives rank above them.
        order = ops.stop_gradient(ops.sigmoid(logits))  # (batch, num_clusters)
        if cluster_ids is not None:
            order += 2 * self.multi_hot(cluster_ids)
        if label_ids is not None:
            label_ids = ops.cast(label_ids, "int32")
            positive_clusters = self.clusters_of(label_ids)  # (batch, positives)
            order += 4 * self.multi_hot(positive_clusters)
        top = tf.math.top_k(order, self.top_k).indices  # (batch, top_k)
        candidates = ops.cast(tf.gather(self.clusters.value, top), "int32")
        candidates = ops.reshape(candidates, (-1, self.num_candidates))
        if label_ids is not None:
            included = isin(positive_clusters, top)
            repeated = isin(label_ids, label_ids, earlier=True)
            rest = ops.where(included | repeated, -1, label_ids)
            candidates = ops.concatenate([candidates, rest], axis=1)
        return logits, candidates, self.own_logits(logits, candidates)

    def compute_output_shape(
        self, features_shape, label_ids_shape=None, cluster_ids_shape=None
    ):
        batch = features_shape[0]
        num_candidates = self.num_candidates
        if label_ids_shape is not None:
            width = label_ids_shape[1]
            num_candidates = None if width is None else num_candidates + width
        candidates = (batch, num_candidates)
        return (batch, self.num_clusters), candidates, candidates

    def compute_output_spec(self, features, label_ids=None, cluster_ids=None):
        shapes = self.compute_output_shape(
            features.shape, None if label_ids is None else label_ids.shape
        )
        dtypes = ("float32", "int32", "float32")
        return tuple(keras.KerasTensor(s, d) for s, d in zip(shapes, dtypes))

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_labels": self.num_labels,
                "num_clusters": self.num_clusters,
                "cluster_size": self.cluster_size,
                "top_k": self.top_k,
                "initial_probability": self.initial_probability,
            }
        )
        return config

    @classmethod
    def from_config(cls, config):
        # The table is a weight: any table of its shape will do until the saved one is
        # loaded.
        config = dict(config)
        shape = config.pop("num_clusters"), config.pop("cluster_size")
        table = np.arange(shape[0] * shape[1], dtype="int32").reshape(shape)
        table[table >= config.pop("num_labels")] = -1
        return cls(table, **config)
