"""The generator of LightXML, which recalls label clusters."""

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.lightxml.label_clusters import LabelClusters
from xmc_keras.ops.elementwise import check_initial_probability, logit


@keras.saving.register_keras_serializable(package="xmc_keras")
class ClusterGenerator(LabelClusters):
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
        super().__init__(clusters, top_k, **kwargs)
        check_initial_probability(initial_probability)
        self.initial_probability = initial_probability

    def build(self, features_shape, label_ids_shape=None, cluster_ids_shape=None):
        self.build_clusters()
        self.kernel = self.add_weight(
            shape=(features_shape[-1], self.num_clusters), name="kernel"
        )
        self.bias = self.add_weight(
            shape=(self.num_clusters,),
            initializer=keras.initializers.Constant(logit(self.initial_probability)),
            name="bias",
        )
        self.built = True

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
        positive_clusters = None
        if label_ids is not None:
            label_ids = ops.cast(label_ids, "int32")
            positive_clusters = self.clusters_of(label_ids)  # (batch, positives)
            order += 4 * self.multi_hot(positive_clusters)
        top = tf.math.top_k(order, self.top_k).indices  # (batch, top_k)
        candidates = self.offer(top, label_ids, positive_clusters)
        return logits, candidates, self.own_logits(logits, candidates)

    def compute_output_shape(
        self, features_shape, label_ids_shape=None, cluster_ids_shape=None
    ):
        batch = features_shape[0]
        candidates = self.offered_shape(batch, label_ids_shape)
        return (batch, self.num_clusters), candidates, candidates

    def compute_output_spec(self, features, label_ids=None, cluster_ids=None):
        shapes = self.compute_output_shape(
            features.shape, None if label_ids is None else label_ids.shape
        )
        dtypes = ("float32", "int32", "float32")
        return tuple(keras.KerasTensor(s, d) for s, d in zip(shapes, dtypes))

    def get_config(self):
        config = super().get_config()
        return {**config, "initial_probability": self.initial_probability}
