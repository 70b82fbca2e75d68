import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.optimizers.row_updates import sum_rows

NUM_ROWS, DIM, GIVEN = 6, 2, 8


@pytest.fixture(scope="module", params=[False, True], ids=["graph", "xla"])
def summed(request):
    ids = tf.TensorSpec([None], tf.int32)
    values = tf.TensorSpec([None, DIM])

    @tf.function(input_signature=[values, ids], jit_compile=request.param)
    def summed(values, ids):
        gradient = tf.IndexedSlices(values, ids, tf.constant([NUM_ROWS, DIM]))
        found = sum_rows(gradient)
        return found.values, found.indices

    return lambda *inputs: [x.numpy() for x in summed(*inputs)], request.param


# Two lengths only, because XLA compiles for each.
rows_given = st.sampled_from([3, GIVEN]).flatmap(
    lambda n: st.lists(st.integers(0, NUM_ROWS - 1), min_size=n, max_size=n)
)


@settings(max_examples=30, deadline=None)
@given(rows_given, st.integers(0, 99))
def test_each_row_stands_once_with_its_sum(summed, rows, seed):
    call, by_xla = summed
    values = np.random.default_rng(seed).normal(size=(len(rows), DIM))
    values = values.astype("float32")
    dense = np.zeros((NUM_ROWS, DIM))
    np.add.at(dense, rows, values)
    found, ids = call(values, np.array(rows, "int32"))
    assert len(set(ids.tolist())) == len(ids) == len(found)
    assert len(ids) == (min(len(rows), NUM_ROWS) if by_xla else len(set(rows)))
    assert set(rows) <= set(ids.tolist())
    again = np.zeros((NUM_ROWS, DIM))
    again[ids] = found
    np.testing.assert_allclose(again, dense, 0, 1e-5)


def test_it_may_be_done_twice_and_leaves_dense_gradients_alone(summed):
    call, _ = summed
    values = np.ones((4, DIM), "float32")
    once = call(values, np.array([5, 1, 5, 5], "int32"))
    again = call(*once)
    for found in (once, again):
        dense = np.zeros((NUM_ROWS, DIM))
        dense[found[1]] = found[0]
        np.testing.assert_array_equal(dense.sum(axis=1), [0, 2, 0, 0, 0, 6])
    gradient = tf.ones((2, 3))
    assert sum_rows(gradient) is gradient


def test_many_rows_in_bfloat16():
    """A sum of ones in bfloat16 stops growing at 256."""
    ones = tf.ones([1000, 3], tf.bfloat16)
    found = sum_rows(tf.IndexedSlices(ones, tf.zeros([1000], tf.int32), [5, 3]))
    np.testing.assert_array_equal(tf.cast(found.values, tf.float32), [[1000.0] * 3])
