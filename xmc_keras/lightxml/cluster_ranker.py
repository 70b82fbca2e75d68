"""A middle level of LightXML, which scores shortlisted clusters."""

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.lightxml.label_clusters import LabelClusters
from xmc_keras.ops.elementwise import isin
from xmc_keras.ops.row_pools import row_pool


@keras.saving.register_keras_serializable(package="xmc_keras")
class ClusterRanker(LabelClusters):
    """Scores candidate clusters and returns the labels of the best ones as candidates.

    A level of a cascade: to the level above its clusters are labels, of which that
    level offers candidates. A `DynamicCandidateRanker` scores these, and only these,
    each with a row of its table. The best `top_k` are kept by the product of the scores
    of all levels so far, and their labels are the candidates of the next level. As in
    `ClusterGenerator`, the clusters of `label_ids` come first, and no positive is lost.

    Takes features (batch, dim), candidates (batch, n) int32 cluster ids, padded with
    `-1`, without repeats, and scores (batch, n) float32, the products of the levels
    above, and returns three tensors:

    - `logits` (batch, n) float32 of the candidate clusters, see
      `DynamicCandidateRanker`;
    - `candidates` (batch, num_candidates) int32 label ids, padded with `-1`, without
      repeats. `num_candidates` is `top_k * cluster_size`, plus the width of
      `label_ids` if these are given;
    - `scores` (batch, num_candidates) float32, the products up to each candidate's own
      cluster, without a gradient.

    Args:
        clusters: int array (num_clusters, cluster_size), see `ClusterGenerator`.
        top_k: int. Number of clusters to keep, at most `n`.
        ranker: a `DynamicCandidateRanker` whose `num_labels` is `num_clusters`.
        **kwargs: other arguments of `keras.layers.Layer`.

    Call arguments:
        features: float tensor (batch, dim).
        candidates, scores: see above, the last two outputs of a `ClusterRanker`, or of
            a `ClusterGenerator` with the sigmoid of its logits.
        label_ids: optional int32 tensor (batch, positives), padded with `-1`. The known
            labels of training documents, whose clusters are among the candidates if the
            level above was given these; omit to predict.

    Example:

    >>> import numpy as np
    >>> from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
    >>> ranker = DynamicCandidateRanker(num_labels=3, bottleneck_dim=4)
    >>> level = ClusterRanker([[0, 3], [1, 4], [2, -1]], top_k=1, ranker=ranker)
    >>> features, scores = np.ones((1, 8), "float32"), np.array([[0.5, 0.5]], "float32")
    >>> logits, candidates, scores = level(features, np.array([[2, 0]]), scores)
    >>> logits.shape, candidates.shape
    (TensorShape([1, 2]), TensorShape([1, 2]))

    Reference: [CascadeXML](https://arxiv.org/abs/2211.00640), whose levels have rows as
        wide as the features; here a bottleneck precedes them, as LightXML has it for
        labels. Its authors keep clusters by the score of the level alone.
    """

    def __init__(self, clusters, top_k, ranker, **kwargs):
        # Keras would cast scores to half precision, too. The ranker casts features.
        super().__init__(clusters, top_k, autocast=False, **kwargs)
        if ranker.num_labels != self.num_clusters:
            raise ValueError(
                "Expected a `ranker` with one row per cluster, "
                f"num_labels={self.num_clusters}. Received: "
                f"num_labels={ranker.num_labels}"
            )
        self.ranker = ranker

    def build(
        self,
        features_shape,
        candidates_shape=None,
        scores_shape=None,
        label_ids_shape=None,
    ):
        self.build_clusters()
        if not self.ranker.built:
            self.ranker.build(features_shape, (None, None))
        self.built = True

    def call(self, features, candidates, scores, label_ids=None):
        candidates = ops.cast(candidates, "int32")
        pool, places = row_pool(candidates, self.num_clusters)
        logits = self.ranker(features, pool, places)
        scores = ops.stop_gradient(ops.cast(scores, "float32") * ops.sigmoid(logits))
        order = ops.where(candidates < 0, -1.0, scores)  # pads last
        positive_clusters = None
        if label_ids is not None:
            label_ids = ops.cast(label_ids, "int32")
            positive_clusters = self.clusters_of(label_ids)  # (batch, positives)
            positive = isin(candidates, positive_clusters) & (candidates >= 0)
            order += 4 * ops.cast(positive, "float32")  # scores are within [0, 1]
        top = tf.math.top_k(order, self.top_k).indices  # (batch, top_k)
        kept = tf.gather(candidates, top, batch_dims=1)
        offered = self.offer(kept, label_ids, positive_clusters)
        kept_scores = tf.gather(scores, top, batch_dims=1)
        offered_scores = ops.repeat(kept_scores, self.cluster_size, axis=1)
        if label_ids is not None:
            own = positive_clusters[:, :, None] == candidates[:, None, :]
            rest = ops.sum(ops.where(own, scores[:, None, :], 0.0), axis=-1)
            offered_scores = ops.concatenate([offered_scores, rest], axis=1)
        return logits, offered, ops.where(offered < 0, 0.0, offered_scores)

    def compute_output_shape(
        self,
        features_shape,
        candidates_shape=None,
        scores_shape=None,
        label_ids_shape=None,
    ):
        offered = self.offered_shape(features_shape[0], label_ids_shape)
        width = None if candidates_shape is None else candidates_shape[1]
        return (features_shape[0], width), offered, offered

    def compute_output_spec(self, features, candidates, scores, label_ids=None):
        given = (features, candidates, scores, label_ids)
        shapes = self.compute_output_shape(
            *(None if tensor is None else tensor.shape for tensor in given)
        )
        dtypes = ("float32", "int32", "float32")
        return tuple(keras.KerasTensor(s, d) for s, d in zip(shapes, dtypes))

    def get_config(self):
        config = super().get_config()
        return {**config, "ranker": keras.saving.serialize_keras_object(self.ranker)}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["ranker"] = keras.saving.deserialize_keras_object(config["ranker"])
        return super().from_config(config)
