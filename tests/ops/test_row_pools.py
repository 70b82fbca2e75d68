import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.ops.row_pools import candidate_pool, row_pool


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.data())
def test_row_pool_and_places(num_rows, multiple, data):
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
def test_row_pool_compiled(jit_compile):
    ids = np.array([[5, 2, -1], [2, 7, 5]], "int32")
    call = tf.function(lambda x: row_pool(x, 9), jit_compile=jit_compile)
    pool, places = (x.numpy() for x in call(ids))
    np.testing.assert_array_equal(np.where(places < 0, -1, pool[places]), ids)
    assert len(set(pool)) == len(pool) and set(pool) >= {5, 2, 7}


CLUSTERS, SIZE, MOST = 7, 3, 2


@pytest.fixture(scope="module", params=[False, True], ids=["graph", "xla"])
def pool_of(request):
    @tf.function(
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
        jit_compile=request.param,
    )
    def pool_of(rows):
        return candidate_pool(rows, CLUSTERS, SIZE, MOST)

    return lambda rows: [x.numpy() for x in pool_of(rows)], request.param


# Each document has rows of at most two clusters, and pads.
DOCUMENTS = st.lists(
    st.lists(st.integers(0, CLUSTERS - 1), min_size=MOST, max_size=MOST).flatmap(
        lambda clusters: st.lists(
            st.one_of(
                st.just(-1),
                st.sampled_from([SIZE * c + i for c in clusters for i in range(SIZE)]),
            ),
            min_size=4,
            max_size=4,
        )
    ),
    min_size=3,
    max_size=3,
)


@settings(max_examples=40, deadline=None)
@given(DOCUMENTS)
def test_candidate_pool_is_whole_clusters_that_hold_every_row_once(pool_of, rows):
    call, by_xla = pool_of
    rows = np.array(rows, "int32")
    pool, places = call(rows)
    np.testing.assert_array_equal(np.where(places < 0, -1, pool[places]), rows)
    np.testing.assert_array_equal(places < 0, rows < 0)
    blocks = pool.reshape(-1, SIZE)
    touched = set((rows[rows >= 0] // SIZE).tolist())
    assert len(blocks) == (min(3 * MOST, CLUSTERS) if by_xla else max(1, len(touched)))
    assert touched <= set((blocks[:, 0] // SIZE).tolist())
    assert len(set(blocks[:, 0].tolist())) == len(blocks)
    assert not (blocks[:, 0] % SIZE).any()
    np.testing.assert_array_equal(blocks - blocks[:, :1], [[0, 1, 2]] * len(blocks))
