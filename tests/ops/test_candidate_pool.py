import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.ops.row_pools import candidate_pool

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
documents = st.lists(
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
@given(documents)
def test_whole_clusters_that_hold_every_row_once(pool_of, rows):
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
