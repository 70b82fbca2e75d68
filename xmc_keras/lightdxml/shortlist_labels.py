"""Phase two of LightDXML's cycle: shortlists of the nearest labels."""

import importlib.util
import logging

import numpy as np
import scipy.sparse
import tensorflow as tf

from xmc_keras.lightdxml.hnsw_rows import is_hnsw_faster, search_hnsw
from xmc_keras.lightdxml.nearest_labels import normalize_table
from xmc_keras.ops.tables import BLOCK, find_top_rows

logger = logging.getLogger(__name__)

PRODUCTS = 2**24  # numbers in memory at a time


def shortlist_labels(
    features, label_embeddings, num_neighbors, label_matrix=None, search="exact"
):
    """Finds the labels whose embeddings are nearest to each document, by cosine.

    Args:
        features: float32 array (documents, dim).
        label_embeddings: float32 array (labels, dim), of any norm.
        num_neighbors: int. Labels per document; all if there are fewer.
        label_matrix: optional sparse matrix (documents, labels): the positives, which
            are removed from the result.
        search: `"exact"`, by blocks of products; `"hnsw"`, see `search_hnsw`; or
            `"auto"`: hnsw if hnswlib is installed and faster, see `is_hnsw_faster`.
            Defaults to `"exact"`.

    Returns:
        int32 array (documents, neighbors), nearest first, `-1` instead of positives.

    Example:

    >>> features = np.array([[2.0, 0.0], [3.0, 1.0]], np.float32)
    >>> shortlist_labels(features, np.eye(2, dtype=np.float32), 1).tolist()
    [[0], [0]]
    >>> shortlist_labels(features, np.eye(2, dtype=np.float32), 2, np.eye(2)).tolist()
    [[-1, 1], [0, -1]]

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Shortlisting".
    """
    if search == "auto":
        faster = is_hnsw_faster(len(features), len(label_embeddings))
        use_hnsw = faster and importlib.util.find_spec("hnswlib")
        if faster and not use_hnsw:
            logger.info(
                "Finding the nearest labels by exact search; hnsw would be faster: "
                "pip install .[ann]"
            )
        search = "hnsw" if use_hnsw else "exact"
    find = search_hnsw if search == "hnsw" else search_exactly
    shortlist = find(features, label_embeddings, num_neighbors)
    if label_matrix is not None:
        remove_positives(shortlist, scipy.sparse.csr_matrix(label_matrix))
    return shortlist


def search_exactly(queries, table, k):
    """Finds the `k` rows of largest cosine with each query, as (queries, k) int32."""
    units = normalize_table(table)
    size = min(max(PRODUCTS // min(len(table), BLOCK), 16), 4096)

    # The table is an argument, because TensorFlow frees what a function captures only
    # some time after the function.
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, table.shape[1]]),
            tf.TensorSpec(table.shape),
        ]
    )
    def nearest(x, units):
        # Queries are not scaled, as this does not change the order of rows.
        return find_top_rows(x, units, k)[0]

    neighbors = np.empty((len(queries), min(k, len(table))), np.int32)
    for start in range(0, len(queries), size):
        part = slice(start, start + size)
        neighbors[part] = nearest(queries[part], units).numpy()
    return neighbors


def remove_positives(shortlist, label_matrix):
    """Replaces positives in a shortlist by `-1`, in place."""
    num_labels = label_matrix.shape[1]
    documents = np.repeat(np.arange(len(shortlist)), np.diff(label_matrix.indptr))
    pairs = np.sort(documents * num_labels + label_matrix.indices)
    for start in range(0, len(shortlist), 4096):  # few pairs in memory at a time
        part = shortlist[start : start + 4096]
        numbers = np.arange(start, start + len(part))[:, None] * num_labels + part
        places = np.minimum(np.searchsorted(pairs, numbers), max(len(pairs) - 1, 0))
        if len(pairs):
            part[pairs[places] == numbers] = -1
