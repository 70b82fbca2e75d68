import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.encoders.test_cls_features import IDS, INPUTS, shaken
from tests.helpers.tiny_bert import tiny_bert
from xmc_keras.encoders.bert_features import compute_bert_features, is_plain_bert
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder


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
    """Features and gradients within what bfloat16 tells apart."""
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
