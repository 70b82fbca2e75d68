import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.ops.row_pools import row_pool


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.data())
def test_pool_and_places(num_rows, multiple, data):
    row = st.lists(st.integers(-1, num_rows - 1), min_size=3, max_size=3)
    ids = np.array(data.draw(st.lists(row, min_size=1, max_size=4)), "int32")
    pool, places = (x.numpy() for x in row_pool(tf.constant(ids), num_rows, multiple))
    assert len(set(pool)) == len(pool) and 0 <= pool.min() <= pool.max() < num_rows
    known = sorted(set(ids[ids >= 0]))
    assert pool[: len(known)].tolist() == known
    assert len(pool) == num_rows or len(pool) % multiple == 0
    assert len(pool) < len(known) + multiple or not known
    np.testing.assert_array_equal(np.where(places < 0, -1, pool[places]), ids)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled(jit_compile):
    ids = np.array([[5, 2, -1], [2, 7, 5]], "int32")
    call = tf.function(lambda x: row_pool(x, 9), jit_compile=jit_compile)
    pool, places = (x.numpy() for x in call(ids))
    np.testing.assert_array_equal(np.where(places < 0, -1, pool[places]), ids)
    assert len(set(pool)) == len(pool) and set(pool) >= {5, 2, 7}
