import numpy as np
import pytest
from keras import ops

from xmc_keras.encoders.pooling import LastToken, pool_mean

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_mean_of_the_tokens_that_count(dtype):
    states = RNG.normal(size=(3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 1, 0], [0] * 5])
    found = pool_mean(ops.convert_to_tensor(states), mask.astype(dtype))
    expected = [states[0, [0, 1, 4]].mean(axis=0), states[1, 3], np.zeros(4)]
    np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


def test_mean_of_long_documents_in_bfloat16():
    states = ops.cast(RNG.normal(3, size=(2, 500, 4)), "bfloat16")
    found = pool_mean(states, np.ones((2, 500), "int32"))
    assert found.dtype == "bfloat16"
    exact = np.asarray(ops.cast(states, "float32")).mean(axis=1)
    np.testing.assert_allclose(ops.cast(found, "float32"), exact, rtol=0.01)


def test_last_token_marks_the_last_real_token():
    mask = np.random.default_rng(0).integers(0, 2, (40, 6))
    mask[:3] = [[0] * 6, [1] * 6, [1] + [0] * 5]
    expected = np.zeros((40, 6), "float32")
    for row, real in zip(expected, mask):
        if real.any():
            row[np.flatnonzero(real)[-1]] = 1
    for dtype in ("int32", "bool"):
        np.testing.assert_array_equal(LastToken()(mask.astype(dtype)), expected)
    assert LastToken(dtype="mixed_bfloat16")(mask).dtype == "bfloat16"
