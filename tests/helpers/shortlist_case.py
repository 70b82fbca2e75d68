"""Features and label embeddings, their exact shortlists, and a fake hnswlib index."""

import numpy as np
import scipy.sparse

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(50, 4)).astype("float32")
EMBEDDINGS = RNG.normal(size=(12, 4)).astype("float32")
LABELS = scipy.sparse.csr_matrix(RNG.random((50, 12)) < 0.3, dtype=np.float32)


def expected(k, positives):
    norms = np.linalg.norm(FEATURES, axis=1)[:, None] * np.linalg.norm(
        EMBEDDINGS, axis=1
    )
    order = np.argsort(-(FEATURES @ EMBEDDINGS.T) / norms, axis=1)[:, :k]
    if not positives:
        return order
    return [[-1 if LABELS[i, x] else x for x in row] for i, row in enumerate(order)]


class Index:
    """What hnswlib offers, by exact search."""

    def __init__(self, space, dim):
        assert (space, dim) == ("cosine", 4)

    def init_index(self, max_elements, M, ef_construction):
        assert max_elements == 12

    def set_num_threads(self, n):
        assert n >= 1

    def add_items(self, table):
        self.table = table / np.linalg.norm(table, axis=1, keepdims=True)

    def set_ef(self, ef):
        self.ef = ef

    def knn_query(self, queries, k):
        assert k <= min(self.ef, 12)
        ids = np.argsort(-(queries @ self.table.T), axis=1)[:, :k]
        return ids.astype(np.uint64), None
