"""Label clusters as a layer: the base class of the layers that offer candidates."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from xmc_keras.ops.elementwise import isin
from xmc_keras.ops.row_pools import candidate_pool


class LabelClusters(keras.layers.Layer):
    """Base class of `ClusterGenerator` and `ClusterRanker`: clusters, and their labels.

    In a cascade of levels, the labels of all but the last are the clusters of the next.

    Args:
        clusters: int array (num_clusters, cluster_size). Label ids, each of
            `0 .. num_labels - 1` exactly once, padded with `-1`. Stored as a weight.
        top_k: int. Number of clusters to keep, at most `num_clusters`.
        **kwargs: other arguments of `keras.layers.Layer`.
    """

    def __init__(self, clusters, top_k, **kwargs):
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
        self.top_k = top_k
        self.num_candidates = top_k * self.cluster_size  # without label_ids
        self.num_rows = self.num_clusters * self.cluster_size
        self._table = clusters

    def build_clusters(self):
        """Adds the weights `clusters` and `label_rows`."""
        rows = np.flatnonzero(self._table >= 0)
        label_rows = np.empty(self.num_labels, "int32")
        label_rows[self._table.flat[rows]] = rows
        self.clusters = self._constant("clusters", self._table)
        self.label_rows = self._constant("label_rows", label_rows)

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

    def offer(self, kept, label_ids=None, positive_clusters=None):
        """The labels of the kept clusters, and all of `label_ids`: the candidates.

        Args:
            kept: int32 tensor (batch, top_k) of cluster ids, `-1` pads.
            label_ids: optional int32 tensor (batch, positives), `-1` pads.
            positive_clusters: `clusters_of(label_ids)`.

        Returns:
            int32 tensor (batch, num_candidates), plus a column for each of `label_ids`,
            without repeats, `-1` pads.
        """
        found = tf.gather(self.clusters.value, ops.maximum(kept, 0))
        found = ops.where(kept[:, :, None] < 0, -1, ops.cast(found, "int32"))
        candidates = ops.reshape(found, (-1, self.num_candidates))
        if label_ids is None:
            return candidates
        included = isin(positive_clusters, kept)
        repeated = isin(label_ids, label_ids, earlier=True)
        rest = ops.where(included | repeated, -1, label_ids)
        return ops.concatenate([candidates, rest], axis=1)

    def offered_shape(self, batch, label_ids_shape=None):
        """The shape of the result of `offer`."""
        if label_ids_shape is None:
            return batch, self.num_candidates
        width = label_ids_shape[1]
        return batch, None if width is None else self.num_candidates + width

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_labels": self.num_labels,
                "num_clusters": self.num_clusters,
                "cluster_size": self.cluster_size,
                "top_k": self.top_k,
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
