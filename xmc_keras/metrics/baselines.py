"""Baseline rankings without a trained model."""

import numpy as np

SCORES = 2**25  # scores in memory at a time


def rank_by_popularity(label_matrix, num_documents, k=5):
    """Predicts the most frequent labels for every document.

    Args:
        label_matrix: sparse matrix (training documents, num_labels), 1 where a
            document has a label.
        num_documents: int. Documents to predict for.
        k: int. Labels per document, or all if there are fewer.

    Returns:
        int32 array (num_documents, k), most frequent first.

    Example:

    >>> import scipy.sparse
    >>> label_matrix = scipy.sparse.csr_matrix([[0, 1, 1], [0, 0, 1]])
    >>> rank_by_popularity(label_matrix, num_documents=2, k=2).tolist()
    [[2, 1], [2, 1]]
    """
    counts = np.asarray(label_matrix.sum(axis=0)).ravel()
    top = np.argsort(-counts, kind="stable")[:k].astype("int32")
    return np.tile(top, (num_documents, 1))


def rank_by_similarity(features, label_features, k=5):
    """Predicts the labels with the highest cosine to the document's features.

    Args:
        features: csr matrix (num_documents, num_features), rows of norm 1.
        label_features: csr matrix (num_labels, num_features), rows of norm 1.
        k: int. Labels per document, or all if there are fewer.

    Returns:
        int32 array (num_documents, k), best first.

    Example:

    >>> import scipy.sparse
    >>> label_features = scipy.sparse.csr_matrix([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> features = scipy.sparse.csr_matrix([[0.0, 1.0]])
    >>> rank_by_similarity(features, label_features, k=2).tolist()
    [[1, 2]]
    """
    columns = label_features.T.tocsr()
    k = min(k, columns.shape[1])
    block = 1 + SCORES // columns.shape[1]  # documents at a time
    found = []
    for start in range(0, features.shape[0], block):
        scores = (features[start : start + block] @ columns).toarray()
        top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1)
        found.append(np.take_along_axis(top, order, axis=1).astype("int32"))
    return np.concatenate(found)
