import numpy as np
import pytest
from keras import ops

from xmc_keras.encoders.pooling import pool_mean

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_means_of_the_tokens_that_count(dtype):
    states = RNG.normal(size=(3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 1, 0], [0] * 5])
    found = pool_mean(ops.convert_to_tensor(states), mask.astype(dtype))
    expected = [states[0, [0, 1, 4]].mean(axis=0), states[1, 3], np.zeros(4)]
    np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


def test_long_documents_in_bfloat16():
    states = ops.cast(RNG.normal(3, size=(2, 500, 4)), "bfloat16")
    found = pool_mean(states, np.ones((2, 500), "int32"))
    assert found.dtype == "bfloat16"
    exact = np.asarray(ops.cast(states, "float32")).mean(axis=1)
    np.testing.assert_allclose(ops.cast(found, "float32"), exact, rtol=0.01)
