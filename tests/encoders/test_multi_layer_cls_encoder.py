import keras
import numpy as np
import pytest

from tests.helpers.encoder_kinds import BACKBONES, IDS, INPUTS, MODELS, made
from tests.helpers.layer_test import run_layer_test
from tests.helpers.tiny_bert import SIZES, tiny_bert
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.encoders.pretrained import load_encoder


def by_hand(backbone, inputs, num_feature_layers, pooling="cls"):
    """The feature by calling a BERT's layers one after another."""
    lengths = np.sum(inputs["padding_mask"], axis=1)
    token = backbone.token_embedding(inputs["token_ids"])
    segment = backbone.segment_embedding(inputs["segment_ids"])
    hidden = token + backbone.position_embedding(token) + segment
    hidden, states = backbone.embeddings_layer_norm(hidden), []
    for layer in backbone.transformer_layers:
        hidden = layer(hidden, padding_mask=inputs["padding_mask"])
        found = np.asarray(hidden)
        if pooling == "cls":
            states.append(found[:, 0])
        else:
            states.append([row[:n].mean(axis=0) for row, n in zip(found, lengths)])
    return np.concatenate(states[::-1][:num_feature_layers], axis=-1)


# The layers that are recomputed are tested by themselves in test_recomputed.py.
@pytest.mark.parametrize(
    "recompute", [False, pytest.param(True, marks=pytest.mark.large)]
)
def test_is_a_keras_layer(tmp_path, recompute):
    def make():
        return MultiLayerCLSEncoder(
            tiny_bert(), num_feature_layers=2, dropout=0.0, recompute=recompute
        )

    run_layer_test(make, [INPUTS], [(3, 8)], tmp_path)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("num_feature_layers", [1, 2])
def test_equals_a_loop_over_the_layers(backbone, num_feature_layers, pooling):
    encoder = MultiLayerCLSEncoder(backbone, num_feature_layers, pooling=pooling)
    expected = by_hand(backbone, INPUTS, num_feature_layers, pooling)
    assert expected.shape == (3, 4 * num_feature_layers)
    np.testing.assert_allclose(encoder(INPUTS), expected, 1e-5, 1e-6)
    again = MultiLayerCLSEncoder.from_config(encoder.get_config())
    again.set_weights(encoder.get_weights())
    np.testing.assert_allclose(again(INPUTS), expected, 1e-5, 1e-6)
    if pooling == "cls":
        last = backbone.predict(INPUTS, verbose=0)["sequence_output"][:, 0]
        np.testing.assert_allclose(encoder(INPUTS)[:, :4], last, 1e-5, 1e-6)


def test_segment_ids_are_zeros_unless_given(backbone):
    encoder = MultiLayerCLSEncoder(backbone, 2)
    inputs = {"token_ids": IDS, "padding_mask": IDS > 0}
    zeros = encoder({**inputs, "segment_ids": np.zeros_like(IDS)})
    np.testing.assert_array_equal(encoder(inputs), zeros)
    assert not np.allclose(encoder(INPUTS)[0], zeros[0])
    assert "segment_ids" not in inputs  # the caller's dictionary is left alone


def test_other_keys_padding_and_mask_dtype_change_nothing(backbone):
    encoder = MultiLayerCLSEncoder(backbone, 2)
    expected = encoder(INPUTS)
    more = {**INPUTS, "label_ids": np.zeros((3, 1), "int32")}
    np.testing.assert_array_equal(encoder(more), expected)
    wider = {name: np.pad(x, [(0, 0), (0, 3)]) for name, x in INPUTS.items()}
    np.testing.assert_allclose(encoder(wider), expected, 1e-5, 1e-6)
    numbers = {**INPUTS, "padding_mask": (IDS > 0).astype("int32")}
    np.testing.assert_array_equal(encoder(numbers), expected)


def test_shares_the_backbone_and_leaves_its_pooler_out(backbone):
    encoder = MultiLayerCLSEncoder(backbone, 2)
    shared = {id(w) for w in backbone.weights}
    assert {id(w) for w in encoder.weights} <= shared
    left_out = shared - {id(w) for w in encoder.weights}
    assert left_out == {id(w) for w in backbone.get_layer("pooled_dense").weights}


def test_another_pooling_is_refused(backbone):
    with pytest.raises(ValueError, match='"cls" or "mean". Received: pooling=max'):
        MultiLayerCLSEncoder(backbone, 2, pooling="max")


def test_dropout_only_while_training(backbone):
    encoder = MultiLayerCLSEncoder(backbone, 2, dropout=0.5)
    feature, dropped = encoder(INPUTS), np.asarray(encoder(INPUTS, training=True))
    kept = dropped != 0
    assert 0 < kept.mean() < 1
    np.testing.assert_allclose(dropped[kept], 2 * np.asarray(feature)[kept], 1e-5)


@pytest.mark.parametrize(
    "recompute", [False, pytest.param(True, marks=pytest.mark.large)]
)
@pytest.mark.parametrize("kind", BACKBONES)
def test_all_kinds_of_backbones(kind, recompute):
    backbone = made(kind)
    encoder = MultiLayerCLSEncoder(backbone, 2, recompute=recompute)
    feature = np.asarray(encoder(INPUTS))
    needed = {k: x for k, x in INPUTS.items() if k in backbone.input}
    last = backbone.predict(needed, verbose=0)
    last = last["sequence_output"] if isinstance(last, dict) else last
    cls = [4, 2, 3] if kind == "xlnet" else [0, 0, 0]
    expected = last[range(3), cls]
    np.testing.assert_allclose(feature[:, :4], expected, 1e-5, 1e-5)
    # In prediction BERT takes a shorter way; the others must be found to be others.
    np.testing.assert_allclose(encoder(INPUTS), feature, 1e-4, 1e-4)

    # A document does not depend on others, nor on how far it is padded.
    alone = {name: x[1:2, :3] for name, x in INPUTS.items()}
    np.testing.assert_allclose(encoder(alone), feature[1:2], 1e-4, 1e-4)

    lengths = INPUTS["padding_mask"].sum(axis=1)
    expected = [row[:n].mean(axis=0) for row, n in zip(last, lengths)]
    means = MultiLayerCLSEncoder(backbone, 2, recompute=recompute, pooling="mean")
    np.testing.assert_allclose(means(INPUTS)[:, :4], expected, 1e-5, 1e-5)

    again = MultiLayerCLSEncoder.from_config(encoder.get_config())
    assert again.cls_index == encoder.cls_index == (-1 if kind == "xlnet" else 0)
    again.set_weights(encoder.get_weights())
    np.testing.assert_allclose(again(INPUTS), feature, 1e-5, 1e-5)


@pytest.mark.parametrize("kind", ["albert", "deberta", "xlnet"])
def test_earlier_layers(kind):
    """The layer before the last: what the last one is called on."""
    backbone = made(kind)
    seen = []
    layer = backbone.transformer_layers[-1]
    layer = layer[-1] if isinstance(layer, list) else layer
    call = layer.call
    layer.call = lambda x, *a, **k: seen.append(np.asarray(x)) or call(x, *a, **k)
    encoder = MultiLayerCLSEncoder(backbone, 2)
    feature = encoder(INPUTS)
    cls = [4, 2, 3] if kind == "xlnet" else [0, 0, 0]
    np.testing.assert_allclose(feature[:, 4:], seen[-1][range(3), cls], 1e-5, 1e-6)


def test_number_of_albert_layers():
    backbone = BACKBONES["albert"]()  # four of two inner ones each
    assert MultiLayerCLSEncoder(backbone, 8).feature_dim == 8 * 4
    with pytest.raises(ValueError, match="backbone with 8 layers"):
        MultiLayerCLSEncoder(backbone, 9)


def test_xlnet_of_keras_nlp():
    backbone = MODELS.XLNetBackbone(**SIZES)
    with pytest.raises(ValueError, match="Expected `XLNetBackbone` of `xmc_keras"):
        MultiLayerCLSEncoder(backbone, 2)


def test_minilm():
    backbone, tokenizer = load_encoder("minilm")
    encoder = MultiLayerCLSEncoder(backbone, num_feature_layers=5)
    words = ["text editor", "word processor", "football match", "soccer game"]
    ids = np.array([[101, *tokenizer(text), 102] for text in words], "int32")
    inputs = {"token_ids": ids, "padding_mask": ids > 0, "segment_ids": 0 * ids}
    feature = np.asarray(encoder(inputs))
    assert feature.shape == (4, 5 * 384)
    np.testing.assert_allclose(feature, by_hand(backbone, inputs, 5), 1e-4, 1e-4)
    # It is the pretrained one: texts that mean the same are closest.
    feature = feature / np.linalg.norm(feature, axis=1, keepdims=True)
    likeness = feature @ feature.T - 2 * np.eye(4)
    assert likeness.argmax(axis=1).tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_feature_layers": 3}, "num_feature_layers=3, backbone with 2 layers"),
        ({"num_feature_layers": 0}, "num_feature_layers=0"),
        ({"num_feature_layers": 2, "dropout": 1.0}, "dropout=1.0"),
    ],
)
def test_errors(backbone, arguments, message):
    with pytest.raises(ValueError, match=f"Expected.*Received: .*{message}"):
        MultiLayerCLSEncoder(backbone, **arguments)


def test_error_of_a_model_that_is_no_backbone():
    with pytest.raises(ValueError, match="transformer_layers.*Received"):
        MultiLayerCLSEncoder(keras.Sequential([keras.Input((3,))]))


def test_recomputed_it_trains_as_without(backbone):
    """Three steps of SGD end at the same weights."""
    ended = []
    start = backbone.get_weights()
    for recompute in (False, True):
        backbone.set_weights(start)
        encoder = MultiLayerCLSEncoder(backbone, 2, dropout=0.0, recompute=recompute)
        inputs = {
            name: keras.Input(x.shape[1:], dtype=x.dtype.name, name=name)
            for name, x in INPUTS.items()
        }
        model = keras.Model(inputs, encoder(inputs))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(INPUTS, np.ones((3, 8)), epochs=3, verbose=0)
        ended.append([np.asarray(v) for v in encoder.trainable_variables])
    assert len(ended[0]) == len(ended[1])
    for a, b in zip(*ended):
        np.testing.assert_allclose(a, b, 1e-4, 1e-6)
    assert any((a != b).any() for a, b in zip(start, backbone.get_weights()))
