"""Simple baselines that a model should beat."""

import numpy as np

SCORES = 2**25  # held in memory at a time


def rank_by_popularity(label_matrix, num_documents, k=5):
    """The most frequent labels for every document: (num_documents, k) int32."""
    counts = np.asarray(label_matrix.sum(axis=0)).ravel()
    top = np.argsort(-counts, kind="stable")[:k].astype("int32")
    return np.tile(top, (num_documents, 1))


def rank_by_similarity(features, label_features, k=5):
    """Labels whose feature is most like the document's, by cosine.

    Args:
        features: csr matrix (num_documents, num_features), rows of norm 1.
        label_features: csr matrix (num_labels, num_features), rows of norm 1.
        k: int. Labels a document, or all if there are fewer.

    Returns:
        int32 array (num_documents, k), best first.
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
