"""The words of a batch of documents, to look those of labels up in."""

import tensorflow as tf

from xmc_keras.in_xla import in_xla


class DocumentWords:
    """Products of a batch's rows of words with other such rows, those of labels.

    Holds the weights (batch, words of the batch) as a dense matrix, of the words alone
    that some document has: it stays small, and a label's other words cost nothing.

    Args:
        token_ids: int32 tensor (batch, n), `-1` pads. A word that a document lists
            twice has the sum of its weights.
        token_weights: float32 tensor (batch, n).
        num_features: int. Words that there are.
        gains: optional float32 tensor (num_features, 1), by which the weights are
            multiplied, except in `weights_of`. It gets a gradient, of the words of the
            batch alone.

    Example:

    >>> words = DocumentWords([[2, 0], [3, -1]], [[0.6, 0.8], [1.0, 0.0]], 5)
    >>> label_ids, label_weights = [[0, 4], [3, 2], [1, -1]], tf.ones([3, 2])
    >>> words.products(label_ids, label_weights).numpy().round(1).tolist()
    [[0.8..., 0.6..., 0.0], [0.0, 1.0, 0.0]]
    """

    def __init__(self, token_ids, token_weights, num_features, gains=None):
        ids = tf.convert_to_tensor(token_ids, tf.int32) + 1  # 0 is a pad
        weights = tf.where(ids > 0, tf.cast(token_weights, tf.float32), 0.0)
        # Column 0 of the matrix is that of pads and of words that no document has.
        if in_xla():  # one size for all batches
            self._column_of = tf.range(num_features + 1)
            self._width = num_features + 1
        else:
            known, order = tf.unique(tf.reshape(ids, [-1]))
            columns = tf.where(known > 0, tf.range(tf.size(known)) + 1, 0)
            shape = [num_features + 1]
            self._column_of = tf.scatter_nd(known[:, None], columns, shape)
            self._width = tf.size(known) + 1
        documents = tf.range(tf.shape(ids)[0])[:, None] + tf.zeros_like(ids)
        places = tf.stack([documents, tf.gather(self._column_of, ids)], axis=2)
        shape = [tf.shape(ids)[0], self._width]
        self._weights = self._gained = tf.scatter_nd(places, weights, shape)
        if gains is None:
            return
        if in_xla():
            gains = tf.gather(gains, tf.maximum(ids - 1, 0))[:, :, 0]  # (batch, n)
        else:  # each row once
            gains = tf.gather(gains, tf.maximum(known - 1, 0))[:, 0]
            gains = tf.reshape(tf.gather(gains, order), tf.shape(ids))
        self._gained = tf.scatter_nd(places, weights * gains, shape)

    def columns(self, word_ids):
        """Columns of the batch's matrix, of that shape; 0 for words it lacks."""
        return tf.gather(self._column_of, tf.convert_to_tensor(word_ids, tf.int32) + 1)

    def products(self, word_ids, word_weights):
        """Products of all documents with the same rows of words.

        Args:
            word_ids: int32 tensor (rows, n), `-1` pads.
            word_weights: float32 tensor (rows, n).

        Returns:
            float32 tensor (batch, rows).
        """
        columns = self.columns(word_ids)
        if in_xla():
            words = tf.gather(tf.transpose(self._gained), columns)  # (rows, n, batch)
            return tf.transpose(tf.reduce_sum(word_weights[:, :, None] * words, axis=1))
        shape = tf.shape(columns)
        known = tf.where(tf.reshape(columns, [-1]) > 0)[:, 0]
        rows = known // tf.cast(shape[1], tf.int64)
        columns = tf.cast(tf.gather(tf.reshape(columns, [-1]), known), tf.int64)
        found = csr_product(
            tf.stack([rows, columns], axis=1),
            tf.gather(tf.reshape(word_weights, [-1]), known),
            tf.cast(tf.stack([shape[0], self._width]), tf.int64),
            tf.transpose(self._gained),
        )
        return tf.transpose(tf.ensure_shape(found, [word_weights.shape[0], None]))

    def weights_of(self, documents, word_ids):
        """The weights that some documents give to words of their own, without gains.

        Args:
            documents: int32 tensor (rows,). Places in the batch, any number of times.
            word_ids: int32 tensor (rows, n), `-1` pads.

        Returns:
            float32 tensor (rows, n), 0 for words that a document lacks and for pads.
        """
        return self._of(self._weights, documents, word_ids)

    def gained_of(self, documents, word_ids):
        """The same multiplied by gains."""
        return self._of(self._gained, documents, word_ids)

    def _of(self, table, documents, word_ids):
        places = documents[:, None] * self._width + self.columns(word_ids)
        return tf.gather(tf.reshape(table, [-1]), places)


@tf.custom_gradient
def csr_product(indices, values, shape, dense):
    """A sparse matrix times a dense one, which alone gets a gradient.

    Six times as fast as `tf.sparse.sparse_dense_matmul` on a CPU, by ops that not
    every server has.
    """
    sparse = tf.raw_ops.SparseTensorToCSRSparseMatrix(
        indices=indices, values=values, dense_shape=shape
    )

    def gradient(upstream):
        back = tf.raw_ops.SparseMatrixMatMul(a=sparse, b=upstream, transpose_a=True)
        return None, None, None, back

    return tf.raw_ops.SparseMatrixMatMul(a=sparse, b=dense), gradient
