"""The rows of a table nearest to queries, found approximately by HNSW."""

import os

import numpy as np

from xmc_keras.bad_input import BadInput


def hnsw_rows(queries, table, k, num_threads=None):
    """About the `k` rows of largest cosine with each query, from a graph of rows.

    For tables of so many rows that exact search takes longer than building the graph.
    Needs the package hnswlib (`pip install .[ann]`).

    Args:
        queries: float32 array (queries, dim).
        table: float32 array (rows, dim).
        k: int. Rows to return, or all if there are fewer.
        num_threads: optional int. Defaults to the number of processors.

    Returns:
        int32 array (queries, k), nearest first.

    Raises:
        BadInput: hnswlib is not installed.

    Reference:
        [HNSW](https://arxiv.org/abs/1603.09320); M 100 and efConstruction 300 as in
        the published code of [LightDXML](https://arxiv.org/abs/2304.11045).
    """
    try:
        import hnswlib
    except ImportError:
        raise BadInput(
            "Expected the package hnswlib for search: hnsw. Received: it is not "
            "installed. Install it with `pip install .[ann]`, or set search: exact."
        ) from None
    k = min(k, len(table))
    index = hnswlib.Index(space="cosine", dim=table.shape[1])
    index.init_index(max_elements=len(table), M=100, ef_construction=300)
    index.set_num_threads(num_threads or os.cpu_count())
    index.add_items(table)
    index.set_ef(max(k, 300))
    ids, _ = index.knn_query(queries, k=k)
    return ids.astype(np.int32)
