import keras
import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.ops import tables as module
from xmc_keras.ops.tables import add_table_weight


def filled(seed, dtype="float32"):
    keras.utils.set_random_seed(seed)
    table = add_table_weight(keras.layers.Layer(), 70, 30, "table", dtype)
    assert table.name == "table" and table.dtype == dtype
    return check(keras.ops.convert_to_numpy(keras.ops.cast(table.value, "float32")))


def check(table):
    assert table.shape == (70, 30) and (table != 0).all()
    assert np.abs(table).max() <= np.sqrt(6 / (70 + 30)) * (1 + 2**-8)
    assert len(np.unique(table)) > table.size / 20
    expected = np.asarray(keras.initializers.GlorotUniform(1)((70, 30)))
    assert table.std() == pytest.approx(expected.std(), rel=0.05)
    assert table.mean() == pytest.approx(0, abs=0.02)
    return table


@pytest.mark.parametrize("rows", [1, 8, 70, 1000])
def test_every_row_is_drawn(rows, monkeypatch):
    monkeypatch.setattr(module, "ROWS", rows)
    assert len(np.unique(filled(0))) > 0.99 * 70 * 30


def test_the_seed_of_keras_decides():
    np.testing.assert_array_equal(filled(3), filled(3))
    assert (filled(3) != filled(4)).any()


def test_bfloat16():
    np.testing.assert_allclose(filled(0, "bfloat16"), filled(0), rtol=2**-8)


class Scorer(keras.Model):
    def __init__(self):
        super().__init__()
        self.ranker = DynamicCandidateRanker(70, 30)

    def call(self, x):
        return self.ranker(x["features"], x["candidates"])


def test_built_by_fit():
    """`fit` builds inside a graph, where the table has no rows yet."""
    x = {"features": np.ones((2, 8), "float32"), "candidates": np.array([[0], [1]])}
    model = Scorer()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, np.ones((2, 1)), verbose=0)
    check(model.ranker.label_embeddings.numpy())


def test_built_for_several_devices():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        layer = DynamicCandidateRanker(70, 30)
        layer.build((None, 8), (None, 3))
    check(layer.label_embeddings.numpy())
