"""Approximate nearest-neighbor search in the rows of a table by HNSW."""

import os

import numpy as np

from xmc_keras.files.bad_input import BadInput

M, EF = 100, 300  # links per row, and rows examined to find them
QUERIES = 2**14  # queries answered at a time
# Cost of the graph in units of exact search, see benchmarks/speed/nearest_search.py: a
# query costs as much as exact search in 70,000 rows, and building the graph costs as
# much as 40,000 exact queries.
QUERY_ROWS, BUILD_QUERIES = 70_000, 40_000


def search_hnsw(queries, table, k, num_threads=None):
    """Finds approximately the `k` rows of largest cosine with each query.

    For tables large enough that exact search is slower than building a graph of rows.
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
    k = min(k, len(table))
    index = make_hnsw_index(*table.shape, num_threads)
    index.add_items(table)
    index.set_ef(max(k, EF))
    neighbors = np.empty((len(queries), k), np.int32)
    # hnswlib's answer takes three times the memory, so query in blocks.
    for start in range(0, len(queries), QUERIES):
        part = slice(start, start + QUERIES)
        neighbors[part], _ = index.knn_query(queries[part], k=k)
    return neighbors


def make_hnsw_index(num_rows, dim, num_threads=None):
    """Makes an empty HNSW index by cosine for `num_rows` rows of width `dim`."""
    try:
        import hnswlib
    except ImportError:
        raise BadInput(
            "Expected the package hnswlib for search: hnsw. Received: it is not "
            "installed. Install it with `pip install .[ann]`, or set search: exact."
        ) from None
    index = hnswlib.Index(space="cosine", dim=dim)
    index.init_index(max_elements=num_rows, M=M, ef_construction=EF)
    index.set_num_threads(num_threads or os.cpu_count())
    return index


def is_hnsw_faster(num_queries, num_rows):
    """Whether HNSW is faster than exact search, including building the graph.

    Example:

    >>> is_hnsw_faster(43_437, 24_043), is_hnsw_faster(490_449, 670_091)
    (False, True)
    """
    return num_queries * (num_rows - QUERY_ROWS) > BUILD_QUERIES * num_rows
