import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import erf

from xmc_keras.encoders.activations import exact_gelu

X = np.linspace(-9, 9, 1801)
GELU = X * (1 + erf(X / np.sqrt(2))) / 2
SLOPE = (1 + erf(X / np.sqrt(2))) / 2 + X * np.exp(-(X**2) / 2) / np.sqrt(2 * np.pi)


@pytest.mark.parametrize(
    "dtype, tolerance", [("float32", 2e-6), ("float16", 5e-3), ("bfloat16", 0.04)]
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_value_and_gradient(dtype, tolerance, jit_compile):
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


def test_the_slope_of_the_slope():
    x = tf.constant(X, "float32")
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = exact_gelu(x)
        slope = inner.gradient(y, x)
    expected = (2 - X**2) * np.exp(-(X**2) / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(outer.gradient(slope, x), expected, 0, 1e-5)


def test_in_a_functional_model_of_keras():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, activation=exact_gelu)(inputs))
    assert model.output.shape == (None, 3)
    model.compile("sgd", "mse")
    x, y = np.ones((8, 4), "float32"), np.zeros((8, 3), "float32")
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert losses[2] < losses[0]
