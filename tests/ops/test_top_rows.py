import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.ops.tables import find_top_rows


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 10), st.booleans())
def test_equals_a_sort(num_rows, k, block, with_bias):
    rng = np.random.default_rng([num_rows, k, block])
    queries = rng.integers(-3, 4, (4, 2)).astype("float32")  # many ties
    table = rng.integers(-3, 4, (num_rows, 2)).astype("float32")
    bias = rng.integers(-3, 4, num_rows).astype("float32") if with_bias else None
    products = queries @ table.T + (0 if bias is None else bias)
    order = np.argsort(-products, axis=1, kind="stable")[:, :k]
    ids, found = find_top_rows(
        tf.constant(queries),
        tf.constant(table),
        k,
        None if bias is None else tf.constant(bias),
        block,
    )
    np.testing.assert_array_equal(ids, order)
    np.testing.assert_array_equal(found, np.take_along_axis(products, order, axis=1))
    assert ids.dtype == tf.int32 and found.dtype == tf.float32


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5))
def test_more_is_added_block_by_block(block):
    rng = np.random.default_rng(block)
    queries, table = np.eye(3, dtype="float32"), rng.normal(size=(7, 3))
    more = rng.normal(size=(3, 7)).astype("float32")
    products = table.T.astype("float32") + more
    ids, found = find_top_rows(
        tf.constant(queries),
        tf.constant(table, tf.float32),
        2,
        block=block,
        more=lambda start, end: tf.constant(more[:, start:end]),
    )
    order = np.argsort(-products, axis=1)[:, :2]
    np.testing.assert_array_equal(ids, order)
    np.testing.assert_allclose(found, np.take_along_axis(products, order, axis=1), 1e-6)
