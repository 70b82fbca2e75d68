import keras
import keras_nlp
import numpy as np
import pytest

from tests.helpers.tiny_bert import LONG, tiny_bert
from xmc_keras.encoders.cls_features import cls_features
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


def called_as_it_is(encoder, inputs, monkeypatch):
    calls = []
    call = type(encoder).call
    monkeypatch.setattr(
        type(encoder), "call", lambda *a, **k: calls.append(k) or call(*a, **k)
    )
    cls_features(encoder, inputs)
    return bool(calls)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("num_layers, num_feature_layers", [(1, 1), (3, 1), (3, 3)])
def test_features_are_those_of_the_encoder(
    num_layers, num_feature_layers, pooling, monkeypatch
):
    backbone = tiny_bert(num_layers=num_layers, hidden_dim=8, intermediate_dim=12)
    encoder = MultiLayerCLSEncoder(backbone, num_feature_layers, pooling=pooling)
    shaken(encoder)
    expected = encoder(INPUTS, training=False).numpy()
    assert abs(expected).max() > 0.1
    found = cls_features(encoder, INPUTS)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    # Documents do not depend on each other, nor on how far they are padded.
    alone = {name: array[1:2, :3] for name, array in INPUTS.items()}
    np.testing.assert_allclose(cls_features(encoder, alone), found[1:2], atol=2e-5)
    assert not called_as_it_is(encoder, INPUTS, monkeypatch)


def test_segments(backbone, monkeypatch):
    encoder = shaken(MultiLayerCLSEncoder(backbone, 2))
    inputs = {**INPUTS, "segment_ids": (IDS % 2).astype("int32")}
    expected = encoder(inputs, training=False).numpy()
    np.testing.assert_allclose(cls_features(encoder, inputs), expected, atol=2e-5)
    assert np.abs(expected - encoder(INPUTS, training=False)).max() > 1e-2
    assert not called_as_it_is(encoder, inputs, monkeypatch)


def test_recomputed_layers(backbone, monkeypatch):
    encoder = shaken(MultiLayerCLSEncoder(backbone, 2, recompute=True))
    expected = encoder(INPUTS, training=False).numpy()
    np.testing.assert_allclose(cls_features(encoder, INPUTS), expected, atol=2e-5)
    assert not called_as_it_is(encoder, INPUTS, monkeypatch)


def test_half_precision(monkeypatch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = MultiLayerCLSEncoder(tiny_bert(num_layers=2), 2)
    expected, found = half(INPUTS, training=False), cls_features(half, INPUTS)
    assert found.dtype == expected.dtype == "bfloat16"
    expected, found = (np.asarray(x).astype("float32") for x in (expected, found))
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert not called_as_it_is(half, INPUTS, monkeypatch)


def test_other_encoders_are_called_as_they_are(backbone, monkeypatch):
    roberta = keras_nlp.models.RobertaBackbone(**{**LONG, "num_layers": 1})
    encoder = MultiLayerCLSEncoder(roberta, 1)
    assert called_as_it_is(encoder, INPUTS, monkeypatch)
    # Layers of another precision than the feature's.
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert called_as_it_is(MultiLayerCLSEncoder(backbone, 2), INPUTS, monkeypatch)
