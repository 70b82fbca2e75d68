import math

import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from tests.encoders.test_multi_layer_cls_encoder import BACKBONES, INPUTS
from xmc_keras.encoders.activations import ACTIVATIONS, set_activation
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder

FORMULAS = {
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: (
        x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    ),
    "relu": lambda x: max(x, 0.0),
    "silu": lambda x: x / (1 + math.exp(-x)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_formulas(name):
    x = np.linspace(-4, 4, 33, dtype="float32")
    expected = [FORMULAS[name](float(v)) for v in x]
    np.testing.assert_allclose(ACTIVATIONS[name](x), expected, atol=1e-6)


@pytest.mark.parametrize("kind", BACKBONES)
def test_all_layers_compute_with_it_and_it_is_kept(kind):
    backbone = BACKBONES[kind]()
    encoder = MultiLayerCLSEncoder(backbone, 2, activation="gelu")
    for weight in encoder.weights:
        if weight.dtype == "float32":
            value = np.random.default_rng(len(weight.path)).normal(size=weight.shape)
            weight.assign(value)
    with_gelu = encoder(INPUTS).numpy()
    again = MultiLayerCLSEncoder.from_config(encoder.get_config())
    assert again.activation == "gelu"
    again.set_weights(encoder.get_weights())
    np.testing.assert_allclose(again(INPUTS), with_gelu, 1e-5, 1e-5)
    set_activation(backbone, "relu")
    with_relu = encoder(INPUTS).numpy()
    assert np.abs(with_relu - with_gelu).max() > 1e-2
    if kind == "bert":
        np.testing.assert_allclose(encoder(INPUTS), with_relu, atol=1e-4)
    # An encoder that is made of the backbone now tells what it has.
    assert MultiLayerCLSEncoder(backbone, 1).activation == "relu"
    dense = tf.nest.flatten(list(backbone.transformer_layers))[0]
    assert dense.activation is ACTIVATIONS["relu"]


def test_a_backbone_is_left_as_it_is_unless_told():
    backbone = BACKBONES["bert"]()
    before = backbone.transformer_layers[0].activation
    encoder = MultiLayerCLSEncoder(backbone, 1)
    assert encoder.activation is None
    assert backbone.transformer_layers[0].activation is before


def test_an_unknown_one():
    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=2, intermediate_dim=2
    )
    with pytest.raises(ValueError, match="one of gelu, .*Received: 'tanh'"):
        set_activation(backbone, "tanh")
