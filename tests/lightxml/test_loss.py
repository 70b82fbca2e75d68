import numpy as np
import pytest

from xmc_keras.lightxml.loss import cross_entropy

RNG = np.random.default_rng(0)
TARGET = RNG.integers(0, 2, (3, 5)).astype("float32")
LOGITS = RNG.normal(size=(3, 5)).astype("float32")
REAL = np.array([[1, 1, 1, 0, 0], [1] * 5, [0] * 5], "float32")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("real", [None, REAL])
def test_against_numpy(reduction, real):
    loss = cross_entropy(TARGET, LOGITS, reduction, real)
    probability = 1 / (1 + np.exp(-LOGITS.astype("float64")))
    each = -np.log(np.where(TARGET == 1, probability, 1 - probability))
    kept = [row if real is None else row[mask > 0] for row, mask in zip(each, REAL)]
    # A document of pads alone has no loss.
    reduce = np.sum if reduction == "sum" else lambda row: row.sum() / max(len(row), 1)
    np.testing.assert_allclose(loss, [reduce(row) for row in kept], rtol=1e-5)
