"""Word weights of the documents of a batch, and the heaviest words of each label."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse
import tensorflow as tf

from xmc_keras.ops.xla import in_xla

BLOCK = 1024  # labels summed at a time, which bounds the memory of each thread


class DocumentWords:
    """Word weights of a batch's documents, for inner products with words of labels.

    Holds the weights as a dense matrix with a column for each word that occurs in the
    batch. So the matrix stays small, and a label's other words cost nothing.

    Args:
        token_ids: int32 tensor (batch, n), padded with `-1`. If a document lists a word
            twice, its weights are added.
        token_weights: float32 tensor (batch, n).
        num_features: int. Number of words.
        gains: optional float32 tensor (num_features, 1). Factors of the weights, except
            in `weights_of`. Only the words of the batch receive a gradient.

    Example:

    >>> words = DocumentWords([[2, 0], [3, -1]], [[0.6, 0.8], [1.0, 0.0]], 5)
    >>> label_ids, label_weights = [[0, 4], [3, 2], [1, -1]], tf.ones([3, 2])
    >>> words.products(label_ids, label_weights).numpy().round(1).tolist()
    [[0.8..., 0.6..., 0.0], [0.0, 1.0, 0.0]]
    """

    def __init__(self, token_ids, token_weights, num_features, gains=None):
        ids = tf.convert_to_tensor(token_ids, tf.int32) + 1  # 0 is a pad
        weights = tf.where(ids > 0, tf.cast(token_weights, tf.float32), 0.0)
        # Column 0 of the matrix is for pads and for words that no document has.
        if in_xla():  # the same size for all batches
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
        """Columns of word ids in the matrix, of their shape; 0 if not in the batch."""
        return tf.gather(self._column_of, tf.convert_to_tensor(word_ids, tf.int32) + 1)

    def products(self, word_ids, word_weights):
        """Inner products of all documents with the same rows of words.

        Args:
            word_ids: int32 tensor (rows, n), padded with `-1`.
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
        products = csr_product(
            tf.stack([rows, columns], axis=1),
            tf.gather(tf.reshape(word_weights, [-1]), known),
            tf.cast(tf.stack([shape[0], self._width]), tf.int64),
            tf.transpose(self._gained),
        )
        return tf.transpose(tf.ensure_shape(products, [word_weights.shape[0], None]))

    def weights_of(self, documents, word_ids):
        """Weights of words in documents, one row of words per document, without gains.

        Args:
            documents: int32 tensor (rows,). Positions in the batch, which may repeat.
            word_ids: int32 tensor (rows, n), padded with `-1`.

        Returns:
            float32 tensor (rows, n), 0 for words not in the document and for pads.
        """
        return self._lookup(self._weights, documents, word_ids)

    def gains(self, documents, word_ids):
        """The result of `weights_of` multiplied by the gains."""
        return self._lookup(self._gained, documents, word_ids)

    def _lookup(self, table, documents, word_ids):
        places = documents[:, None] * self._width + self.columns(word_ids)
        return tf.gather(tf.reshape(table, [-1]), places)


def find_top_words(features, label_matrix, num_words):
    """Finds the heaviest words in the sum of each label's documents.

    Args:
        features: csr matrix float32 (documents, num_features), such as TF-IDF rows.
        label_matrix: sparse matrix (documents, labels), ones where a label applies.
        num_words: int. Words to keep per label.

    Returns:
        `(ids, weights, lengths)`: int32 (labels, num_words), heaviest first, padded
        with `-1`; float32 of the same shape, the weights of these words in the sum,
        scaled to norm 1, 0 at pads; and float32 (labels,), the norms before scaling.

    Example:

    >>> features = np.array([[0.6, 0.8, 0.0], [0.0, 0.8, 0.6]], "float32")
    >>> labels = np.array([[1, 0, 1], [1, 0, 0]])
    >>> ids, weights, lengths = find_top_words(features, labels, 2)
    >>> ids.tolist(), lengths.round(3).tolist()
    ([[1, 0], [-1, -1], [1, 0]], [1.7089..., 0.0, 1.0])
    """
    features = scipy.sparse.csr_matrix(features, dtype=np.float32)
    of_labels = scipy.sparse.csr_matrix(label_matrix, dtype=np.float32).T.tocsr()
    if of_labels.shape[1] != features.shape[0]:
        raise ValueError(
            "Expected one row per document in both `features` and `label_matrix`. "
            f"Received: {features.shape[0]} and {of_labels.shape[1]} rows."
        )
    if num_words < 1:
        raise ValueError(f"Expected `num_words` >= 1. Received: {num_words}")
    num_labels = of_labels.shape[0]
    ids = np.full((num_labels, num_words), -1, np.int32)
    weights = np.zeros((num_labels, num_words), np.float32)

    def sum_block(start):
        sums = of_labels[start : start + BLOCK] @ features
        sums.sort_indices()  # ties go to the smaller word id
        counts = np.diff(sums.indptr)
        rows = np.repeat(np.arange(len(counts)), counts)
        order = np.lexsort((-np.abs(sums.data), rows))  # rows keep their order
        ranks = np.arange(sums.nnz) - np.repeat(sums.indptr[:-1], counts)
        top = np.flatnonzero(ranks < num_words)
        places = start + rows[top], ranks[top]
        ids[places] = sums.indices[order[top]]
        weights[places] = sums.data[order[top]]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(sum_block, range(0, num_labels, BLOCK)))
    lengths = np.linalg.norm(weights, axis=1)
    weights /= np.maximum(lengths, 1e-12)[:, None]
    return ids, weights, lengths


@tf.custom_gradient
def csr_product(indices, values, shape, dense):
    """Product of a sparse and a dense matrix, with a gradient for the dense one only.

    Six times as fast as `tf.sparse.sparse_dense_matmul` on a CPU, but uses ops that
    some servers lack.
    """
    sparse = tf.raw_ops.SparseTensorToCSRSparseMatrix(
        indices=indices, values=values, dense_shape=shape
    )

    def gradient(upstream):
        back = tf.raw_ops.SparseMatrixMatMul(a=sparse, b=upstream, transpose_a=True)
        return None, None, None, back

    return tf.raw_ops.SparseMatrixMatMul(a=sparse, b=dense), gradient
