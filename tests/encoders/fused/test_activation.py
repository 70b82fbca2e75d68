import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.activation_formulas import FORMULAS
from xmc_keras.encoders.activations import ACTIVATIONS
from xmc_keras.encoders.fused.activation import fused_activation

X = np.linspace(-4, 4, 32, dtype="float32")
WEIGHT = np.cos(X)


@pytest.mark.parametrize("jit_compile", [None, True])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_gradients_are_those_of_the_formulas(name, jit_compile):
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = fused_activation(x, ACTIVATIONS[name])
        return y, tape.gradient(y, x, WEIGHT)

    if jit_compile:
        both = tf.function(both, jit_compile=True)
    value, slope = both(tf.constant(X))
    formula = np.vectorize(FORMULAS[name])
    wide = X.astype("float64")
    np.testing.assert_allclose(value, formula(wide), atol=1e-6)
    expected = (formula(wide + 1e-6) - formula(wide - 1e-6)) / 2e-6 * WEIGHT
    np.testing.assert_allclose(slope, expected, atol=1e-5)


def test_half_precision():
    x = tf.cast(X, "bfloat16")
    assert fused_activation(x, ACTIVATIONS["gelu_tanh"]).dtype == "bfloat16"
