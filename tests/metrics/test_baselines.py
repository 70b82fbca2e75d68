import numpy as np
import pytest
import scipy.sparse

from xmc_keras.metrics import baselines
from xmc_keras.metrics.baselines import rank_by_popularity, rank_by_similarity


def test_popular_labels_most_frequent_first_ties_by_id():
    rows = [[0, 2], [2, 3], [2, 1], [1]]
    matrix = np.zeros((4, 5), np.float32)
    for row, labels in zip(matrix, rows):
        row[labels] = 1
    top = rank_by_popularity(scipy.sparse.csr_matrix(matrix), 3, k=4)
    assert top.dtype == np.int32
    assert top.tolist() == [[2, 1, 0, 3]] * 3
    assert rank_by_popularity(scipy.sparse.csr_matrix(matrix), 2, k=9).shape == (2, 5)


@pytest.mark.parametrize("num_labels", [1, 3, 5, 40])
def test_nearest_labels_by_cosine(num_labels, monkeypatch):
    monkeypatch.setattr(baselines, "SCORES", 200)  # a few documents at a time
    rng = np.random.default_rng(0)
    documents, labels = rng.random((230, 12)), rng.random((num_labels, 12))
    for rows in (documents, labels):
        rows[rows < 0.5] = 0
        rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
    found = rank_by_similarity(*map(scipy.sparse.csr_matrix, (documents, labels)))
    assert found.dtype == np.int32
    for document, row in zip(documents, found, strict=True):
        scores = [float(document @ label) for label in labels]
        best = sorted(scores, reverse=True)[:5]
        assert [scores[i] for i in row] == pytest.approx(best)
        assert len(set(row)) == min(5, num_labels)
