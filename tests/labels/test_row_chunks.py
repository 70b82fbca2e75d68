from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.labels import row_chunks
from xmc_keras.labels.row_chunks import RowChunks


def random_matrix(num_rows, num_columns, density, seed):
    rng = np.random.default_rng(seed)
    dense = rng.integers(-8, 9, (num_rows, num_columns)).astype(np.float32)
    return dense * (rng.random(dense.shape) < density)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_dense_products(data):
    # Integers, so that sums are exact in any order.
    dense = random_matrix(
        data.draw(st.integers(1, 40), label="rows"),
        data.draw(st.integers(1, 30), label="columns"),
        data.draw(st.sampled_from([0, 0.02, 0.3, 1]), label="density"),
        data.draw(st.integers(0, 99), label="seed"),
    )
    chosen = st.sets(st.integers(0, len(dense) - 1), min_size=1)
    rows = np.array(sorted(data.draw(chosen, label="rows chosen")))
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(3) as pool:
        patch.setattr(row_chunks, "_CHUNK", data.draw(st.integers(1, 9)))
        patch.setattr(row_chunks, "_MAX_CHUNKS", data.draw(st.integers(1, 9)))
        patch.setattr(row_chunks, "_MANY", data.draw(st.sampled_from([0, 10**9])))
        chunks = RowChunks(scipy.sparse.csr_matrix(dense), rows, pool.map)
        # Columns may be missing, but only if they are zero in all rows.
        found = np.array([chunks.row(i) for i in range(len(rows))])
        assert chunks.num_rows == len(rows)
        assert found.shape == (chunks.num_rows, chunks.num_columns)
        left = dense[rows][:, dense[rows].any(axis=0)]
        np.testing.assert_array_equal(found[:, found.any(axis=0)], left)
        rng = np.random.default_rng(0)
        vector = rng.integers(-8, 9, chunks.num_columns).astype(np.float32)
        np.testing.assert_array_equal(chunks.products(vector), found @ vector)
        weights = rng.integers(-1, 2, len(rows)).astype(np.float32)
        weights *= rng.random(len(rows)) < data.draw(st.sampled_from([0, 0.1, 1]))
        np.testing.assert_array_equal(chunks.total(weights), weights @ found)


def test_columns_of_zeros_are_left_out_where_they_are_many():
    wide = scipy.sparse.csr_matrix(random_matrix(50, 4000, 0.01, seed=1))
    few = RowChunks(wide, np.arange(3, 9, 2))
    assert few.num_columns == np.unique(wide[3:9:2].indices).size < 400
    narrow = scipy.sparse.csr_matrix(random_matrix(50, 4, 1, seed=1))
    assert RowChunks(narrow, np.arange(50)).num_columns == 4
    zeros = scipy.sparse.csr_matrix((5, 7), dtype=np.float32)
    assert RowChunks(zeros, np.arange(5)).total(np.ones(5, np.float32)) == [0]


def test_neighbours_are_not_copied():
    features = scipy.sparse.csr_matrix(random_matrix(500, 10, 1, seed=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_chunks, "_CHUNK", 20)
        chunks = RowChunks(features, np.arange(100, 200))
    parts = [*chunks._chunks, *chunks._transposed]
    assert len(parts) == 10
    for part in parts:
        assert np.shares_memory(part.data, features.data)
        assert np.shares_memory(part.indices, features.indices)


def test_the_same_bits_whatever_the_threads():
    rng = np.random.default_rng(3)
    features = scipy.sparse.random(9000, 300, 0.05, "csr", np.float32, rng=rng)
    rows = np.flatnonzero(rng.random(9000) < 0.9)
    weights = rng.standard_normal(len(rows)).astype(np.float32)
    with ThreadPoolExecutor(4) as pool:
        alone, together = RowChunks(features, rows), RowChunks(features, rows, pool.map)
        total = alone.total(weights)
        np.testing.assert_array_equal(total, together.total(weights))
        products = alone.products(total)
        np.testing.assert_array_equal(products, together.products(total))
    np.testing.assert_allclose(total, features[rows].T @ weights, rtol=1e-3, atol=1e-3)
