import numpy as np

from xmc_keras.encoders.pooling import LastToken


def test_marks_the_last_real_token():
    mask = np.random.default_rng(0).integers(0, 2, (40, 6))
    mask[:3] = [[0] * 6, [1] * 6, [1] + [0] * 5]
    expected = np.zeros((40, 6), "float32")
    for row, real in zip(expected, mask):
        if real.any():
            row[np.flatnonzero(real)[-1]] = 1
    for dtype in ("int32", "bool"):
        np.testing.assert_array_equal(LastToken()(mask.astype(dtype)), expected)
    assert LastToken(dtype="mixed_bfloat16")(mask).dtype == "bfloat16"
