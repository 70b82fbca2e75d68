import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.helpers.tiny_bert import LONG, tiny_bert
from xmc_keras.encoders.bert_features import compute_bert_features, is_plain_bert
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder

RNG = np.random.default_rng(0)
IDS = RNG.integers(5, 40, (3, 6)).astype("int32")
IDS[1, 3:] = IDS[2, 1:] = 0
INPUTS = {"token_ids": IDS, "padding_mask": IDS > 0}


def shaken(encoder):
    """Weights all of which matter: biases are zeros and gammas ones at first."""
    for weight in encoder.weights:
        if weight.dtype == "float32":
            weight.assign(RNG.normal(size=weight.shape, scale=0.5))
    return encoder


def by_layers(encoder, inputs):
    """The features as the backbone's own layers compute them."""
    inputs = {name: ops.convert_to_tensor(x) for name, x in inputs.items()}
    return encoder.layer_by_layer(inputs, training=False)


def calls_layers(encoder, inputs, monkeypatch):
    """Whether the encoder calls the backbone's own layers for its feature."""
    calls = []
    call = type(encoder).layer_by_layer
    monkeypatch.setattr(
        type(encoder), "layer_by_layer", lambda *a: calls.append(a) or call(*a)
    )
    encoder(inputs, training=False)
    return bool(calls)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("num_layers, num_feature_layers", [(1, 1), (3, 1), (3, 3)])
def test_features_are_those_of_the_layers(
    num_layers, num_feature_layers, pooling, monkeypatch
):
    backbone = tiny_bert(num_layers=num_layers, hidden_dim=8, intermediate_dim=12)
    encoder = MultiLayerCLSEncoder(backbone, num_feature_layers, pooling=pooling)
    shaken(encoder)
    expected = by_layers(encoder, INPUTS).numpy()
    assert abs(expected).max() > 0.1
    found = encoder(INPUTS)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    # Documents do not depend on each other, nor on how far they are padded.
    alone = {name: array[1:2, :3] for name, array in INPUTS.items()}
    np.testing.assert_allclose(encoder(alone), found[1:2], atol=2e-5)
    assert not calls_layers(encoder, INPUTS, monkeypatch)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("layers", [[3, 1], [2, 2, 1], [1]])
def test_listed_layers(layers, pooling, monkeypatch):
    backbone = tiny_bert(num_layers=3, hidden_dim=8, intermediate_dim=12)
    whole = shaken(MultiLayerCLSEncoder(backbone, 3, pooling=pooling))
    states = np.split(whole(INPUTS).numpy(), 3, axis=1)[::-1]  # first layer first
    encoder = MultiLayerCLSEncoder(backbone, pooling=pooling, layers=layers)
    expected = np.concatenate([states[number - 1] for number in layers], axis=1)
    assert encoder.feature_dim == 8 * len(layers)
    for found in (encoder(INPUTS), by_layers(encoder, INPUTS)):
        np.testing.assert_allclose(found, expected, atol=2e-5)
    assert not calls_layers(encoder, INPUTS, monkeypatch)
    # Later layers have no part in it.
    unused = (3 - max(layers)) * 16
    assert len(encoder.trainable_variables) == len(whole.trainable_variables) - unused
    again = MultiLayerCLSEncoder.from_config(encoder.get_config())
    again.set_weights(encoder.get_weights())
    np.testing.assert_allclose(again(INPUTS), expected, atol=2e-5)


@pytest.mark.parametrize("layers", [[], [0, 1], [2, 4]])
def test_layers_that_are_not_there(layers):
    with pytest.raises(ValueError, match="`layers` as numbers.*backbone with 3 layers"):
        MultiLayerCLSEncoder(tiny_bert(num_layers=3), layers=layers)


def test_segments(backbone, monkeypatch):
    encoder = shaken(MultiLayerCLSEncoder(backbone, 2))
    inputs = {**INPUTS, "segment_ids": (IDS % 2).astype("int32")}
    expected = by_layers(encoder, inputs).numpy()
    np.testing.assert_allclose(encoder(inputs), expected, atol=2e-5)
    assert np.abs(expected - encoder(INPUTS, training=False)).max() > 1e-2
    assert not calls_layers(encoder, inputs, monkeypatch)


def test_recomputed_layers(backbone, monkeypatch):
    encoder = shaken(MultiLayerCLSEncoder(backbone, 2, recompute=True))
    expected = by_layers(encoder, INPUTS).numpy()
    np.testing.assert_allclose(encoder(INPUTS), expected, atol=2e-5)
    assert not calls_layers(encoder, INPUTS, monkeypatch)


def test_half_precision(monkeypatch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = MultiLayerCLSEncoder(tiny_bert(num_layers=2), 2)
    expected, found = by_layers(half, INPUTS), half(INPUTS)
    assert found.dtype == expected.dtype == "bfloat16"
    expected, found = (np.asarray(x).astype("float32") for x in (expected, found))
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert not calls_layers(half, INPUTS, monkeypatch)


def test_other_encoders_call_their_layers(backbone, monkeypatch):
    roberta = keras_nlp.models.RobertaBackbone(**{**LONG, "num_layers": 1})
    encoder = MultiLayerCLSEncoder(roberta, 1)
    assert calls_layers(encoder, INPUTS, monkeypatch)
    # Layers of another precision than the feature's.
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert calls_layers(MultiLayerCLSEncoder(backbone, 2), INPUTS, monkeypatch)


def with_gradients(encoder, features, state):
    """Features of training, and their gradients by weight, from a state of seeds."""
    for variable, value in zip(encoder.non_trainable_variables, state):
        variable.assign(value)
    with tf.GradientTape() as tape:
        found = tf.cast(features(), "float32")
        loss = tf.reduce_sum(tf.sin(found))
    gradients = tape.gradient(loss, encoder.trainable_variables)
    return found.numpy(), [tf.convert_to_tensor(x).numpy() for x in gradients]


@pytest.mark.parametrize("segments", [False, True])
@pytest.mark.parametrize(
    "pooling, dropout, num_feature_layers",
    [("cls", 0.0, 1), ("cls", 0.0, 2), ("mean", 0.0, 3), ("mean", 0.3, 3)],
)
def test_training_is_that_of_keras(pooling, dropout, num_feature_layers, segments):
    """With dropout, too: the seeds are the same, and so is what they draw."""
    backbone = tiny_bert(
        num_layers=3, hidden_dim=8, intermediate_dim=12, dropout=dropout
    )
    encoder = shaken(
        MultiLayerCLSEncoder(
            backbone, num_feature_layers, pooling=pooling, fuse_dropout=True
        )
    )
    inputs = {**INPUTS, "segment_ids": (IDS % 2 * segments).astype("int32")}
    ours = dict(inputs) if segments else dict(INPUTS)
    assert is_plain_bert(encoder, training=True)
    state = [v.numpy() for v in encoder.non_trainable_variables]
    compiled = tf.function(lambda: compute_bert_features(encoder, ours, training=True))
    expected = with_gradients(
        encoder, lambda: encoder.layer_by_layer(inputs, True), state
    )
    assert abs(expected[0]).max() > 0.1
    for features in (
        lambda: compute_bert_features(encoder, ours, training=True),
        compiled,
    ):
        found = with_gradients(encoder, features, state)
        np.testing.assert_allclose(found[0], expected[0], atol=3e-5)
        for weight, one, other in zip(
            encoder.trainable_variables, *(f[1] for f in (found, expected))
        ):
            np.testing.assert_allclose(one, other, 1e-3, 1e-4, err_msg=weight.path)


def test_the_encoder_trains_by_it_where_it_can(monkeypatch):
    def by_layers(**named):
        encoder = MultiLayerCLSEncoder(tiny_bert(dropout=0.1), 1, **named)
        calls, call = [], encoder.layer_by_layer
        monkeypatch.setattr(
            encoder, "layer_by_layer", lambda *a: calls.append(a) or call(*a)
        )
        features = encoder(INPUTS, training=True)
        assert features.shape == (3, encoder.feature_dim)
        return bool(calls)

    assert not by_layers() and not by_layers(pooling="mean")
    assert by_layers(recompute=True) and by_layers(cls_index=1)


def test_a_dropout_of_another_kind_is_left_to_keras():
    class Own(keras.layers.Dropout):
        pass

    encoder = MultiLayerCLSEncoder(tiny_bert(dropout=0.1), 1)
    assert is_plain_bert(encoder, training=True)
    encoder.cls_states.layers[-2]._feedforward_dropout.__class__ = Own
    assert is_plain_bert(encoder) and not is_plain_bert(encoder, training=True)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_half_precision_trains_alike(pooling):
    """Features and gradients within the resolution of bfloat16."""
    found, weights = [], None
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        backbone = tiny_bert(
            num_layers=2, hidden_dim=8, intermediate_dim=12, dropout=0.2
        )
        encoder = MultiLayerCLSEncoder(backbone, 2, pooling=pooling)
        weights = weights or shaken(encoder).get_weights()
        encoder.set_weights(weights)
        state = [v.numpy() for v in encoder.non_trainable_variables]
        call = tf.function(
            lambda: compute_bert_features(encoder, INPUTS, training=True)
        )
        features, gradients = with_gradients(encoder, call, state)
        found.append([features, *gradients])
    for exact, half in zip(*found):
        norm = np.linalg.norm(exact)
        assert np.linalg.norm(exact - half) < 0.1 * norm + 0.01


def test_a_step_compiled_as_a_whole():
    encoder = shaken(MultiLayerCLSEncoder(tiny_bert(dropout=0.0), 1))
    call = tf.function(
        lambda: compute_bert_features(encoder, INPUTS, training=True), jit_compile=True
    )
    np.testing.assert_allclose(call(), encoder(INPUTS), atol=2e-5)
