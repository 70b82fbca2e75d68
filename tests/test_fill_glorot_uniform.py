import keras
import numpy as np
import pytest

from xmc_keras import fill_glorot_uniform as module
from xmc_keras.fill_glorot_uniform import fill_glorot_uniform


def filled(seed, shape=(70, 30), dtype="float32"):
    keras.utils.set_random_seed(seed)
    table = keras.Variable(np.zeros(shape), dtype=dtype, autocast=False)
    fill_glorot_uniform(table)
    return keras.ops.convert_to_numpy(keras.ops.cast(table.value, "float32"))


@pytest.mark.parametrize("rows", [1, 8, 70, 1000])
def test_every_row_is_drawn_within_the_limits(rows, monkeypatch):
    monkeypatch.setattr(module, "ROWS", rows)
    table = filled(0)
    limit = np.sqrt(6 / (70 + 30))
    assert (table != 0).all() and np.abs(table).max() < limit
    assert len(np.unique(table)) > 0.99 * table.size
    expected = np.asarray(keras.initializers.GlorotUniform(1)((70, 30)))
    assert table.std() == pytest.approx(expected.std(), rel=0.05)
    assert table.mean() == pytest.approx(0, abs=0.02)


def test_the_seed_of_keras_decides():
    np.testing.assert_array_equal(filled(3), filled(3))
    assert (filled(3) != filled(4)).any()


def test_bfloat16():
    exact = filled(0)
    np.testing.assert_allclose(filled(0, dtype="bfloat16"), exact, rtol=2**-8)
