import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.one_vs_all import negative_documents
from xmc_keras.one_vs_all.negative_documents import NegativeDocuments, find_nearest


def random_rows(rng, count, width):
    """Rows of norm 1, some of them empty, and some of one word, which are alike."""
    rows = rng.random((count, width)) * (rng.random((count, width)) < 0.3)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(1, 12), st.sampled_from([1, 3, 256]))
def test_nearest_labels_are_those_of_a_full_sort(seed, k, block):
    rng = np.random.default_rng(seed)
    documents, labels = random_rows(rng, 10, 8), random_rows(rng, 9, 8)
    before, negative_documents.BLOCK = negative_documents.BLOCK, block
    try:
        found = find_nearest(*map(scipy.sparse.csr_matrix, (documents, labels)), k)
    finally:
        negative_documents.BLOCK = before
    assert found.shape == (10, k) and found.dtype == np.int32
    cosines = documents @ labels.T
    for row, own in zip(found, cosines):
        row = row[row >= 0]
        assert len(set(row)) == len(row)
        best = np.sort(own[own > 0])[::-1][:k]
        np.testing.assert_allclose(np.sort(own[row])[::-1], best)


def make_negatives(monkeypatch, nearest, fewest, per_positive, seed=0):
    for name, value in {
        "NEAREST": nearest,
        "FEWEST": (fewest, fewest),
        "PER_POSITIVE": (per_positive, per_positive),
    }.items():
        monkeypatch.setattr(negative_documents, name, value)
    rng = np.random.default_rng(5)
    documents = random_rows(rng, 60, 20)
    labels = rng.random((60, 6)) < [0.5, 0.2, 0.1, 0.05, 0, 1]
    sums = labels.T @ documents
    sums = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    rows = map(scipy.sparse.csr_matrix, (documents, labels, sums))
    return documents @ sums.T, labels, NegativeDocuments(*rows, seed=seed)


@pytest.mark.parametrize("nearest, fewest", [(2, 0), (2, 3), (50, 4)])
def test_near_documents_and_random_ones(nearest, fewest, monkeypatch):
    cosines, labels, negatives = make_negatives(monkeypatch, nearest, fewest, 0)
    best = np.argsort(-cosines, axis=1)[:, :nearest]
    for label in range(6):
        found = negatives(label)
        assert (np.diff(found) > 0).all()  # sorted, each once
        assert not labels[found, label].any()
        near = {i for i in range(60) if label in best[i] and cosines[i, label] > 0}
        near -= set(np.flatnonzero(labels[:, label]))
        assert near <= set(found) and len(set(found) - near) <= fewest
    # Others are drawn by another seed, and the same by the same one.
    _, _, again = make_negatives(monkeypatch, nearest, fewest, 0)
    _, _, other = make_negatives(monkeypatch, nearest, fewest, 0, seed=1)
    rows = [[part(i).tolist() for i in range(6)] for part in (negatives, again, other)]
    assert rows[0] == rows[1] and (rows[0] != rows[2]) == (fewest > 0)


def test_a_frequent_label_gets_more_random_documents(monkeypatch):
    _, labels, negatives = make_negatives(monkeypatch, 1, 1, 2)
    counts = labels.sum(axis=0)
    found = [len(negatives(label)) for label in range(6)]
    assert found[0] == 60 - counts[0]  # all documents
    assert found[5] == 0  # none is left
    assert found[2] <= 2 * counts[2] + 60 and found[2] > found[4]


def test_all_documents_of_a_small_set():
    rng = np.random.default_rng(0)
    documents, labels = random_rows(rng, 40, 9), rng.random((40, 5)) < 0.3
    rows = map(scipy.sparse.csr_matrix, (documents, labels, documents[:5]))
    negatives = NegativeDocuments(*rows, seed=0)
    for label in range(5):
        assert negatives(label).tolist() == np.flatnonzero(~labels[:, label]).tolist()
