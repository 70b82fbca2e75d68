import keras
import keras_nlp
import numpy as np
import pytest
from keras import ops

from tests.helpers.tiny_bert import LONG, tiny_bert
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
