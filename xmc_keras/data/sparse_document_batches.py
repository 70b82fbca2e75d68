"""Batches of documents given as rows of a sparse matrix."""

import numpy as np
import scipy.sparse
import tensorflow as tf

from xmc_keras.data.document_batches import DocumentBatches, pad_rows


class SparseDocumentBatches(DocumentBatches):
    """Cuts TF-IDF rows into padded batches.

    Same as `DocumentBatches`, except that `x` holds `token_ids`, int32 (batch, n) with
    -1 pads, and `token_weights`, float32 (batch, n), instead of subwords, and shuffled
    documents are not sorted by length: the order is a random permutation that depends
    on `(seed, epoch)`. A batch is as wide as its longest document.

    Args:
        features: float32 csr matrix (documents, num_features).
        label_matrix: optional sparse matrix (documents, labels).
        batch_size: int. The last batch may be smaller.
        shuffle: bool. `True` for training.
        seed: int. Seed of the shuffled orders. Defaults to `0`.

    Example:

    >>> features = scipy.sparse.csr_matrix([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0]])
    >>> batches = SparseDocumentBatches(features, None, 2, shuffle=False)
    >>> x = next(batches.batches())
    >>> x["token_ids"].tolist(), x["token_weights"].round(1).tolist()
    ([[0, 2], [1, -1]], [[0.6..., 0.8...], [1.0, 0.0]])
    """

    def __init__(self, features, label_matrix, batch_size, shuffle, seed=0):
        self.features = scipy.sparse.csr_matrix(features, dtype=np.float32)
        lengths = Lengths(np.diff(self.features.indptr))
        super().__init__(
            lengths, label_matrix, batch_size, pad_id=-1, shuffle=shuffle, seed=seed
        )

    def _epoch(self, epoch):
        if not self.shuffle:
            return super()._epoch(epoch)
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.tokens))
        starts = range(0, len(order), self.batch_size)
        return [order[i : i + self.batch_size] for i in starts]

    def _batch(self, documents):
        token_ids, token_weights = pad_rows(self.features[documents])
        x = {"token_ids": token_ids, "token_weights": token_weights}
        if self.negatives is not None:
            x[self.negatives_key] = self.negatives[documents]  # (batch, n)
        if self.labels is None:
            return x
        label_ids, _ = pad_rows(self.labels[documents])
        # A copy as the target: TensorFlow may compute in the memory of an input.
        return {**x, "label_ids": label_ids}, label_ids.copy()  # (batch, positives)

    def _signature(self):
        ids = tf.TensorSpec([None, None], tf.int32)
        x = {"token_ids": ids, "token_weights": tf.TensorSpec([None, None])}
        if self.negatives is not None:
            x[self.negatives_key] = ids
        return x if self.labels is None else ({**x, "label_ids": ids}, ids)


class Lengths:
    """The part of `TokenCache` that `DocumentBatches` needs to order documents."""

    def __init__(self, lengths):
        self.lengths = lengths

    def __len__(self):
        return len(self.lengths)
