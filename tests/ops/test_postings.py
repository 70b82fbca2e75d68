import numpy as np
import scipy.sparse
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.ops.postings import invert_rows, sum_postings


def random_table(seed, shape, density):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=shape) * (rng.random(shape) < density)
    return np.round(table, 2).astype("float32")


sizes = st.integers(1, 6), st.integers(1, 8), st.floats(0, 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), *sizes)
def test_an_index_has_every_entry_once(seed, num_rows, num_columns, density):
    table = random_table(seed, (num_rows, num_columns), density)
    starts, row_ids, values = invert_rows(scipy.sparse.csr_matrix(table), "float16")
    assert (starts.dtype, row_ids.dtype, values.dtype) == ("int32", "int32", "float16")
    assert starts[0] == 0 and starts[-1] == len(row_ids) == np.count_nonzero(table)
    again = np.zeros_like(table)
    for column in range(num_columns):
        places = slice(starts[column], starts[column + 1])
        assert (np.diff(row_ids[places]) > 0).all()
        again[row_ids[places], column] = values[places]
    np.testing.assert_array_equal(again, table.astype("float16"))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), *sizes, st.integers(0, 5), st.integers(0, 12))
def test_products_are_those_of_dense_matrices(
    seed, num_rows, num_columns, density, size, words
):
    """Words in any order, some of them twice, and documents without any."""
    table = random_table(seed, (num_rows, num_columns), density)
    rng = np.random.default_rng(seed)
    words *= size > 0
    ids = rng.integers(0, num_columns, words)
    documents = rng.integers(0, max(size, 1), words)
    weights = rng.normal(size=words).astype("float32")
    dense = np.zeros((size, num_columns))
    np.add.at(dense, (documents, ids), weights)
    for dtype, tolerance in (("float32", 1e-5), ("float16", 1e-2)):
        parts = invert_rows(scipy.sparse.csr_matrix(table), dtype)
        postings = [tf.constant(part) for part in parts]
        found = sum_postings(
            postings,
            num_rows,
            tf.constant(ids, tf.int32),
            tf.constant(documents, tf.int32),
            weights,
            size,
        )
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, dense @ table.T, tolerance, tolerance)
