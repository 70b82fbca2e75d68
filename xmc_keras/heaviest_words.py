"""The words that say most about each label."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse

# Labels summed at a time: what one thread holds stays small.
BLOCK = 1024


def heaviest_words(features, label_matrix, num_words):
    """The heaviest words of the sum of each label's documents.

    Args:
        features: csr matrix float32 (documents, num_features), as TF-IDF rows.
        label_matrix: sparse matrix (documents, labels), ones where a label applies.
        num_words: int. Words kept a label.

    Returns:
        `(ids, weights, lengths)`: int32 (labels, num_words), heaviest first, `-1` where
        a label has fewer; float32 of that shape, the weights of these words in the sum,
        scaled to norm 1, 0 at pads; and float32 (labels,), what they were divided by.

    Example:

    >>> features = np.array([[0.6, 0.8, 0.0], [0.0, 0.8, 0.6]], "float32")
    >>> labels = np.array([[1, 0, 1], [1, 0, 0]])
    >>> ids, weights, lengths = heaviest_words(features, labels, 2)
    >>> ids.tolist(), lengths.round(3).tolist()
    ([[1, 0], [-1, -1], [1, 0]], [1.7089..., 0.0, 1.0])
    """
    features = scipy.sparse.csr_matrix(features, dtype=np.float32)
    of_labels = scipy.sparse.csr_matrix(label_matrix, dtype=np.float32).T.tocsr()
    if of_labels.shape[1] != features.shape[0]:
        raise ValueError(
            "Expected `features` and `label_matrix` with one row a document each. "
            f"Received: {features.shape[0]} and {of_labels.shape[1]} rows."
        )
    if num_words < 1:
        raise ValueError(f"Expected `num_words` >= 1. Received: {num_words}")
    num_labels = of_labels.shape[0]
    ids = np.full((num_labels, num_words), -1, np.int32)
    weights = np.zeros((num_labels, num_words), np.float32)

    def sum_block(start):
        sums = of_labels[start : start + BLOCK] @ features
        sums.sort_indices()  # of words that weigh the same, the first
        counts = np.diff(sums.indptr)
        rows = np.repeat(np.arange(len(counts)), counts)
        order = np.lexsort((-np.abs(sums.data), rows))  # rows stay where they were
        ranks = np.arange(sums.nnz) - np.repeat(sums.indptr[:-1], counts)
        kept = np.flatnonzero(ranks < num_words)
        places = start + rows[kept], ranks[kept]
        ids[places] = sums.indices[order[kept]]
        weights[places] = sums.data[order[kept]]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(sum_block, range(0, num_labels, BLOCK)))
    lengths = np.linalg.norm(weights, axis=1)
    weights /= np.maximum(lengths, 1e-12)[:, None]
    return ids, weights, lengths
