import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.ops import tables
from xmc_keras.ops.tables import add_table_weight, find_top_rows


def filled_table(seed, dtype="float32"):
    keras.utils.set_random_seed(seed)
    table = add_table_weight(keras.layers.Layer(), 70, 30, "table", dtype)
    assert table.name == "table" and table.dtype == dtype
    return check_table(
        keras.ops.convert_to_numpy(keras.ops.cast(table.value, "float32"))
    )


def check_table(table):
    assert table.shape == (70, 30) and (table != 0).all()
    assert np.abs(table).max() <= np.sqrt(6 / (70 + 30)) * (1 + 2**-8)
    assert len(np.unique(table)) > table.size / 20
    expected = np.asarray(keras.initializers.GlorotUniform(1)((70, 30)))
    assert table.std() == pytest.approx(expected.std(), rel=0.05)
    assert table.mean() == pytest.approx(0, abs=0.02)
    return table


@pytest.mark.parametrize("rows", [1, 8, 70, 1000])
def test_every_row_of_a_table_is_drawn(rows, monkeypatch):
    monkeypatch.setattr(tables, "ROWS", rows)
    assert len(np.unique(filled_table(0))) > 0.99 * 70 * 30


def test_the_seed_of_keras_decides_the_table():
    np.testing.assert_array_equal(filled_table(3), filled_table(3))
    assert (filled_table(3) != filled_table(4)).any()


def test_table_in_bfloat16():
    np.testing.assert_allclose(filled_table(0, "bfloat16"), filled_table(0), rtol=2**-8)


class Scorer(keras.Model):
    def __init__(self):
        super().__init__()
        self.ranker = DynamicCandidateRanker(70, 30)

    def call(self, x):
        return self.ranker(x["features"], x["candidates"])


def test_table_built_by_fit():
    """`fit` builds inside a graph, where the table has no rows yet."""
    x = {"features": np.ones((2, 8), "float32"), "candidates": np.array([[0], [1]])}
    model = Scorer()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, np.ones((2, 1)), verbose=0)
    check_table(model.ranker.label_embeddings.numpy())


def test_table_built_for_several_devices():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        layer = DynamicCandidateRanker(70, 30)
        layer.build((None, 8), (None, 3))
    check_table(layer.label_embeddings.numpy())


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 10), st.booleans())
def test_top_rows_equal_a_sort(num_rows, k, block, with_bias):
    rng = np.random.default_rng([num_rows, k, block])
    queries = rng.integers(-3, 4, (4, 2)).astype("float32")  # many ties
    table = rng.integers(-3, 4, (num_rows, 2)).astype("float32")
    bias = rng.integers(-3, 4, num_rows).astype("float32") if with_bias else None
    products = queries @ table.T + (0 if bias is None else bias)
    order = np.argsort(-products, axis=1, kind="stable")[:, :k]
    ids, found = find_top_rows(
        tf.constant(queries),
        tf.constant(table),
        k,
        None if bias is None else tf.constant(bias),
        block,
    )
    np.testing.assert_array_equal(ids, order)
    np.testing.assert_array_equal(found, np.take_along_axis(products, order, axis=1))
    assert ids.dtype == tf.int32 and found.dtype == tf.float32


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5))
def test_top_rows_with_more_added_block_by_block(block):
    rng = np.random.default_rng(block)
    queries, table = np.eye(3, dtype="float32"), rng.normal(size=(7, 3))
    more = rng.normal(size=(3, 7)).astype("float32")
    products = table.T.astype("float32") + more
    ids, found = find_top_rows(
        tf.constant(queries),
        tf.constant(table, tf.float32),
        2,
        block=block,
        more=lambda start, end: tf.constant(more[:, start:end]),
    )
    order = np.argsort(-products, axis=1)[:, :2]
    np.testing.assert_array_equal(ids, order)
    np.testing.assert_allclose(found, np.take_along_axis(products, order, axis=1), 1e-6)
