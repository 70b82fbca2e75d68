import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import approx

from xmc_keras.metrics.precision_at_k import PrecisionAtK

Y_TRUE = np.array([[7, 8, 9], [5, -1, -1], [-1, -1, -1], [2, 4, -1]], np.int32)
Y_PRED = np.array([[9, 7, 1], [1, 5, 3], [-1, 0, 2], [4, 4, 2]], np.int32)
# Hits in the first 1, 2, 3 of each document; the second 4 of the last one repeats.
HITS = {1: [1, 0, 0, 1], 2: [2, 1, 0, 1], 3: [2, 1, 0, 2]}


def slow_precisions(y_true, y_pred, k):
    return [
        len({label for label in pred[:k] if label >= 0} & set(true)) / k
        for true, pred in zip(y_true.tolist(), y_pred.tolist(), strict=True)
    ]


@pytest.fixture(params=["float32", "mixed_bfloat16", "mixed_float16", "float16"])
def dtype_policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("k", HITS)
def test_by_hand(k):
    metric = PrecisionAtK(k)
    metric.update_state(Y_TRUE, Y_PRED)
    assert float(metric.result()) == approx(sum(HITS[k]) / k / 4)
    metric.reset_state()
    metric.update_state(Y_TRUE, Y_PRED, sample_weight=np.array([1.0, 3.0, 0.0, 0.0]))
    expected = (HITS[k][0] + 3 * HITS[k][1]) / k / 4
    assert float(metric.result()) == approx(expected)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    k=st.integers(1, 6),
    columns=st.integers(0, 8),
    positives=st.integers(0, 4),
)
def test_stream_equals_loop_with_sets(seed, k, columns, positives):
    rng = np.random.default_rng(seed)
    metric = PrecisionAtK(k)
    expected, weights = [], []
    for batch in (3, 1, 5):
        y_true = rng.integers(-1, 6, (batch, positives))
        y_pred = rng.integers(-1, 6, (batch, columns))
        weight = rng.integers(0, 3, batch).astype(np.float32)
        metric.update_state(y_true, y_pred, weight)
        expected += slow_precisions(y_true, y_pred, k)
        weights += weight.tolist()
    mean = np.average(expected, weights=weights) if sum(weights) else 0.0
    assert float(metric.result()) == approx(mean, abs=1e-6)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_equals_keras_precision_on_dense_arrays(k):
    rng = np.random.default_rng(k)
    scores = rng.permuted(np.tile(np.linspace(0.01, 0.99, 40), (64, 1)), axis=1)
    dense = rng.random((64, 40)) < 0.2
    y_true = np.full((64, 40), -1)
    for row, relevant in zip(y_true, dense, strict=True):
        row[: relevant.sum()] = np.flatnonzero(relevant)
    ours, kerass = PrecisionAtK(k), keras.metrics.Precision(top_k=k)
    for part in (slice(0, 30), slice(30, 64)):
        ours.update_state(y_true[part], np.argsort(-scores[part], axis=1))
        kerass.update_state(dense[part].astype("float32"), scores[part])
    assert 0.05 < float(ours.result()) < 0.5
    assert float(ours.result()) == approx(float(kerass.result()), abs=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_graph_with_unknown_shapes(jit_compile, dtype):
    metric = PrecisionAtK(2)

    @tf.function(
        input_signature=[tf.TensorSpec([None, None], dtype)] * 2,
        jit_compile=jit_compile,
    )
    def update(y_true, y_pred):
        metric.update_state(y_true, y_pred)

    update(tf.constant(Y_TRUE, dtype), tf.constant(Y_PRED, dtype))
    assert float(metric.result()) == approx(4 / 8)
    # Fewer columns than k: one more document, one hit out of two.
    update(tf.constant([[3]], dtype), tf.constant([[3]], dtype))
    assert float(metric.result()) == approx(5 / 10)


class Ranked(keras.Model):
    """Returns the label ids of its input; has no weights to train."""

    def call(self, ids):
        return ids

    def test_step(self, data):
        ids, y_true = data
        return self.compute_metrics(ids, y_true, self(ids))

    train_step = test_step


@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_compile_under_every_policy(dtype_policy, jit_compile):
    # Half precision rounds ids above 2048, and cannot add 1 to a sum of 2048.
    model = Ranked()
    model.compile(
        metrics=[PrecisionAtK(1), PrecisionAtK(3, name="third", dtype=dtype_policy)],
        jit_compile=jit_compile,
    )
    y_pred = np.tile(np.array([[40_001, 40_000, 7]], np.int32), (4000, 1))
    y_true = np.tile(np.array([[40_001, 7], [40_000, 8]], np.int32), (2000, 1))
    logs = model.evaluate(y_pred, y_true, 50, verbose=0, return_dict=True)
    assert logs["precision_at_1"] == approx(1 / 2)
    assert logs["third"] == approx(1 / 2)
    metric = PrecisionAtK(1, dtype=dtype_policy)
    assert {variable.dtype for variable in metric.variables} == {"float32"}


def test_callbacks_know_that_more_is_better():
    model = Ranked()
    model.compile(metrics=[PrecisionAtK(1)])
    stop = keras.callbacks.EarlyStopping(monitor="precision_at_1", patience=2)
    history = model.fit(Y_PRED, Y_TRUE, epochs=9, verbose=0, callbacks=[stop])
    assert stop.monitor_op is keras.ops.greater
    assert history.history["precision_at_1"] == [0.5] * 3


def test_config_round_trip():
    metric = PrecisionAtK(5)
    assert metric.name == "precision_at_5"
    assert metric.get_config() == {
        "name": "precision_at_5",
        "dtype": "float32",
        "k": 5,
    }
    assert PrecisionAtK(np.int64(2), dtype="float64").get_config() == {
        "name": "precision_at_2",
        "dtype": "float64",
        "k": 2,
    }
    config = keras.saving.serialize_keras_object(PrecisionAtK(3, name="p"))
    assert config["registered_name"] == "xmc_keras>PrecisionAtK"
    again = keras.saving.deserialize_keras_object(config)
    assert (type(again), again.k, again.name) == (PrecisionAtK, 3, "p")


@pytest.mark.parametrize("k", [0, -1, 1.5, "2", True, None])
def test_wrong_k(k):
    with pytest.raises(ValueError, match="integer above 0. Received: k="):
        PrecisionAtK(k)


def test_scores_instead_of_ids():
    with pytest.raises(ValueError, match="`y_pred` as integer label ids.*float32"):
        PrecisionAtK(1).update_state(Y_TRUE, np.float32(Y_PRED))
    with pytest.raises(ValueError, match=r"`y_true` .*shape=\(4,\)"):
        PrecisionAtK(1).update_state(Y_TRUE[:, 0], Y_PRED)
