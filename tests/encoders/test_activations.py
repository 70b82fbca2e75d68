import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import erf

from tests.helpers.activation_formulas import FORMULAS
from tests.helpers.encoder_kinds import BACKBONES, INPUTS
from xmc_keras.encoders.activations import ACTIVATIONS, exact_gelu, set_activation
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_equal_their_formulas(name):
    x = np.linspace(-4, 4, 33, dtype="float32")
    expected = [FORMULAS[name](float(v)) for v in x]
    np.testing.assert_allclose(ACTIVATIONS[name](x), expected, atol=1e-6)


@pytest.mark.parametrize("kind", BACKBONES)
def test_all_layers_compute_with_the_activation_and_keep_it(kind):
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
    # An encoder that is made of the backbone now reports its activation.
    assert MultiLayerCLSEncoder(backbone, 1).activation == "relu"
    dense = tf.nest.flatten(list(backbone.transformer_layers))[0]
    assert dense.activation is ACTIVATIONS["relu"]


def test_backbone_keeps_its_activation_unless_one_is_given():
    backbone = BACKBONES["bert"]()
    before = backbone.transformer_layers[0].activation
    encoder = MultiLayerCLSEncoder(backbone, 1)
    assert encoder.activation is None
    assert backbone.transformer_layers[0].activation is before


def test_unknown_activation():
    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=2, intermediate_dim=2
    )
    with pytest.raises(ValueError, match="one of gelu, .*Received: 'tanh'"):
        set_activation(backbone, "tanh")


X = np.linspace(-9, 9, 1801)
GELU = X * (1 + erf(X / np.sqrt(2))) / 2
SLOPE = (1 + erf(X / np.sqrt(2))) / 2 + X * np.exp(-(X**2) / 2) / np.sqrt(2 * np.pi)


@pytest.mark.parametrize(
    "dtype, tolerance", [("float32", 2e-6), ("float16", 5e-3), ("bfloat16", 0.04)]
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_exact_gelu_value_and_gradient(dtype, tolerance, jit_compile):
    @tf.function(jit_compile=jit_compile)
    def both(x, weight):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = exact_gelu(x)
        return y, tape.gradient(y, x, weight)

    weight = np.cos(X)
    y, slope = both(tf.cast(X, dtype), tf.cast(weight, dtype))
    assert y.dtype == slope.dtype == dtype
    np.testing.assert_allclose(tf.cast(y, "float64"), GELU, tolerance / 5, tolerance)
    expected = SLOPE * weight
    np.testing.assert_allclose(tf.cast(slope, "float64"), expected, 0, tolerance)


def test_exact_gelu_second_derivative():
    x = tf.constant(X, "float32")
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = exact_gelu(x)
        slope = inner.gradient(y, x)
    expected = (2 - X**2) * np.exp(-(X**2) / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(outer.gradient(slope, x), expected, 0, 1e-5)


def test_exact_gelu_in_a_functional_model():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, activation=exact_gelu)(inputs))
    assert model.output.shape == (None, 3)
    model.compile("sgd", "mse")
    x, y = np.ones((8, 4), "float32"), np.zeros((8, 3), "float32")
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert losses[2] < losses[0]
