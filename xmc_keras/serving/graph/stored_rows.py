"""Sparse weight rows of labels in a graph."""

import tensorflow as tf

from xmc_keras.ops.postings import sum_postings


class StoredRows:
    """Logits of a `SparseOneVsAll`, with weights in a given dtype.

    Args:
        linear: a built `SparseOneVsAll`.
        table_dtype: `"float32"` or `"float16"`. dtype of the stored weights; those that
            a document reads are converted to float32.

    Attributes:
        variables: list of `tf.Variable` to save.

    Example:

    >>> import numpy as np, scipy.sparse
    >>> from xmc_keras.one_vs_all.sparse_one_vs_all import SparseOneVsAll
    >>> layer = SparseOneVsAll(num_labels=2, num_features=3, num_weights=2)
    >>> layer.refresh(scipy.sparse.csr_matrix(np.eye(2, 3)), [0.0, -1.0])
    >>> stored = StoredRows(layer, "float16")
    >>> stored.logits(tf.ragged.constant([[0, 2]]), tf.ragged.constant([[0.5, 0.5]]))
    <tf.Tensor: shape=(1, 2), dtype=float32, numpy=array([[ 0.5, -1. ]], dtype=float32)>
    """

    def __init__(self, linear, table_dtype):
        starts, label_ids, weights = linear.postings
        self._num_labels = linear.num_labels
        self._postings = [
            tf.Variable(part, trainable=False)
            for part in (starts, label_ids, tf.cast(weights, table_dtype))
        ]
        self._bias = tf.Variable(linear.label_bias.value, trainable=False)
        self.variables = [*self._postings, self._bias]

    def logits(self, ids, weights):
        """Logits (block, num_labels) of ragged ids and weights (block, None)."""
        documents = tf.cast(ids.value_rowids(), tf.int32)
        sums = sum_postings(
            self._postings,
            self._num_labels,
            ids.values,
            documents,
            weights.values,
            ids.nrows(tf.int32),
        )
        return sums + self._bias
