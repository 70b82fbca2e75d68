"""The documents that a one-vs-all classifier learns to reject."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse

NEAREST = 50  # labels near a document, for which it is a negative
# Random negatives of a label, from and to: at least, and per document of the label. How
# many it is depends on what all labels together would have.
FEWEST, FEWEST_OF_ALL = (150, 1000), 3e6
PER_POSITIVE, PER_POSITIVE_OF_ALL = (20, 60), 6e6
BLOCK = 256  # documents searched at a time


class NegativeDocuments:
    """Negative documents of each label: near ones, and random ones for balance.

    A document is a near negative of the labels among its `NEAREST` by the cosine with
    the sum of their documents that do not apply to it: they look alike. With them alone
    a rare label would score too high on all other documents, so each label also gets
    random documents, the more the more documents it has. A label of a data set with
    few documents gets all of them.

    Args:
        features: csr matrix float32 (documents, num_features), rows of norm 1.
        label_matrix: csr matrix (documents, labels), ones where a label applies.
        label_features: csr matrix (labels, num_features), rows of norm 1.
        seed: int. Seed of the random documents.

    Example:

    >>> features = scipy.sparse.csr_matrix(np.eye(3, dtype="float32"))
    >>> labels = scipy.sparse.csr_matrix([[1, 0], [0, 1], [0, 0]])
    >>> negatives = NegativeDocuments(features, labels, features[:2], seed=0)
    >>> negatives(0).tolist(), negatives(1).tolist()
    ([1, 2], [0, 2])
    """

    def __init__(self, features, label_matrix, label_features, seed):
        label_matrix = scipy.sparse.csr_matrix(label_matrix)
        self._positives = label_matrix.tocsc()
        num_documents = label_matrix.shape[0]
        self._order = np.random.default_rng(seed).permutation(num_documents)
        self._fewest = int(np.clip(FEWEST_OF_ALL / label_matrix.shape[1], *FEWEST))
        applied = max(label_matrix.nnz, 1)
        self._per_positive = int(np.clip(PER_POSITIVE_OF_ALL / applied, *PER_POSITIVE))
        nearest = find_nearest(features, label_features, NEAREST)
        documents = np.repeat(np.arange(num_documents), nearest.shape[1])
        labels = nearest.ravel()
        real = labels >= 0
        arrays = np.ones(real.sum(), bool), (documents[real], labels[real])
        self._near = scipy.sparse.csc_matrix(arrays, label_matrix.shape)

    def __call__(self, label):
        """Ids of the negative documents of a label, int array."""
        positives, near = (
            _column(part, label) for part in (self._positives, self._near)
        )
        size = max(self._fewest, self._per_positive * len(positives))
        # A mask is faster than the functions of sets, which sort.
        chosen = np.zeros(len(self._order), bool)
        chosen[near] = chosen[self._order[:size]] = True
        chosen[positives] = False
        return np.flatnonzero(chosen)


def find_nearest(features, label_features, k):
    """Finds the labels with the highest cosines to documents, if above 0.

    Args:
        features: csr matrix (documents, num_features), rows of norm 1.
        label_features: csr matrix (labels, num_features), rows of norm 1.
        k: int. Maximum number of labels per document.

    Returns:
        int32 array (documents, k), padded with `-1`, in no order.

    Example:

    >>> labels = scipy.sparse.csr_matrix([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> sorted(find_nearest(labels[:1], labels, 2)[0].tolist())
    [0, 2]
    """
    columns = label_features.T.tocsr()
    nearest = np.full((features.shape[0], k), -1, np.int32)

    def search_block(start):
        scores = features[start : start + BLOCK] @ columns  # sparse
        for i in range(scores.shape[0]):
            begin, end = scores.indptr[i : i + 2]
            labels, values = scores.indices[begin:end], scores.data[begin:end]
            if len(labels) > k:
                labels = labels[np.argpartition(-values, k - 1)[:k]]
            nearest[start + i, : len(labels)] = labels

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(search_block, range(0, features.shape[0], BLOCK)))
    return nearest


def _column(matrix, column):
    return matrix.indices[matrix.indptr[column] : matrix.indptr[column + 1]]
