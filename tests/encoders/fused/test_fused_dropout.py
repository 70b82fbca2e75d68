import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.encoder_kinds import BACKBONES
from tests.helpers.layer_test import (
    check_config,
    check_functional_model,
    check_graph_and_xla,
)
from xmc_keras.encoders.fused.fused_dropout import FusedDropout, fuse_dropout
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder

RNG = np.random.default_rng(0)


def test_is_a_keras_citizen(tmp_path):
    x = RNG.normal(size=(4, 6)).astype("float32")
    layer = FusedDropout(0.3, seed=7)
    check_config(layer)
    check_graph_and_xla(layer, [x], [x])
    check_functional_model(layer, [x], [x], tmp_path)


def test_in_a_model_that_is_trained():
    model = keras.Sequential([FusedDropout(0.2, seed=1), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    x = RNG.normal(size=(256, 5)).astype("float32")
    losses = model.fit(x, x.sum(1), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_rate_scale_and_gradient(rate, dtype):
    x = tf.cast(RNG.normal(3, size=(101, 301)), dtype)  # an odd number of values
    layer = FusedDropout(rate, seed=1, dtype=dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    assert y.dtype == x.dtype
    slope = np.asarray(tf.cast(tape.gradient(y, x), "float64"))
    x, y = (np.asarray(tf.cast(t, "float64")) for t in (x, y))
    kept = slope != 0
    # The same values are dropped on the way back; the rest are scaled alike.
    np.testing.assert_allclose(y, np.where(kept, x / (1 - rate), 0), rtol=0.02)
    np.testing.assert_allclose(slope[kept], 1 / (1 - rate), rtol=0.01)
    deviation = np.sqrt(rate * (1 - rate) / x.size)
    assert abs(kept.mean() - (1 - rate)) < 5 * deviation
    # No row, no column and no neighbour knows of another.
    assert np.abs(np.corrcoef(kept)[~np.eye(101, dtype=bool)]).max() < 0.3
    assert abs(np.corrcoef(kept[:, :-1].ravel(), kept[:, 1:].ravel())[0, 1]) < 0.03


def test_other_numbers_in_each_call_and_the_same_after_the_state_is_restored():
    x = np.ones((20, 30), "float32")
    layer, graph = FusedDropout(0.5, seed=3), []
    call = tf.function(lambda: layer(x, training=True))
    state = [v.numpy() for v in layer.variables]
    eager = [layer(x, training=True).numpy() for _ in range(2)]
    assert (eager[0] != eager[1]).any()
    for variable, value in zip(layer.variables, state):
        variable.assign(value)
    graph = [call().numpy() for _ in range(2)]
    np.testing.assert_array_equal(graph, eager)
    other = FusedDropout(0.5, seed=4)(x, training=True)
    assert (other.numpy() != eager[0]).any()


def test_drops_within_a_compiled_step_too():
    layer, x = FusedDropout(0.25, seed=1), np.ones((64, 64), "float32")
    found = tf.function(lambda: layer(x, training=True), jit_compile=True)().numpy()
    assert set(found.ravel().round(4)) == {0, np.float32(1.3333)}


def test_nothing_is_dropped_in_prediction_or_at_rate_0():
    x = RNG.normal(size=(3, 4)).astype("float32")
    np.testing.assert_array_equal(FusedDropout(0.5)(x), x)
    np.testing.assert_array_equal(FusedDropout(0.0)(x, training=True), x)


def test_noise_shape_is_that_of_keras():
    dropped = FusedDropout(0.5, noise_shape=(None, 1), seed=1)(
        np.ones((50, 4), "float32"), training=True
    ).numpy()
    assert (dropped == dropped[:, :1]).all() and 0 < (dropped == 0).sum() < 200


@pytest.mark.parametrize("kind", BACKBONES)
def test_every_dropout_of_an_encoder(kind):
    backbone = BACKBONES[kind]()
    before = [
        x for x in backbone._flatten_layers() if isinstance(x, keras.layers.Dropout)
    ]
    rates = [x.rate for x in before]
    assert before and FusedDropout not in map(type, before)
    MultiLayerCLSEncoder(backbone, 1)
    assert FusedDropout not in map(type, before)  # only if asked for
    MultiLayerCLSEncoder(backbone, 1, fuse_dropout=True)
    assert {type(x) for x in before} == {FusedDropout}
    assert [x.rate for x in before] == rates


def test_a_subclass_stays_what_it_is():
    class Own(keras.layers.Dropout):
        pass

    model = keras.Sequential([Own(0.5), keras.layers.Dropout(0.5)])
    fuse_dropout(model)
    assert [type(x) for x in model.layers] == [Own, FusedDropout]
