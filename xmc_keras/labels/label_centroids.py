"""Label centroids."""

import numpy as np
import scipy.sparse


def compute_centroids(features, label_matrix):
    """Computes the mean of the features of each label's documents.

    One sparse matrix product.

    Args:
        features: float32 array (num_documents, dim).
        label_matrix: sparse matrix (num_documents, num_labels), 1 where a document has
            a label.

    Returns:
        float32 array (num_labels, dim). A label without documents has a row of zeros.

    Example:

    >>> features = np.array([[1.0, 0.0], [3.0, 2.0]], np.float32)
    >>> compute_centroids(features, [[1, 0, 1], [1, 0, 0]]).tolist()
    [[2.0, 1.0], [0.0, 0.0], [1.0, 0.0]]

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Proxy training of
        label embeddings": `c` of a label.
    """
    labels = scipy.sparse.csr_matrix(label_matrix, dtype=np.float32).T.tocsr()
    if labels.shape[1] != len(features):
        raise ValueError(
            "Expected `features` and `label_matrix` with one row per document each. "
            f"Received: {len(features)} and {labels.shape[1]} rows."
        )
    counts = np.diff(labels.indptr).astype(np.float32)
    centroids = labels @ features
    centroids /= np.maximum(counts, 1)[:, None]
    return centroids
