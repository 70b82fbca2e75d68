import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.layer_test import run_layer_test
from xmc_keras.encoders.spectral_dense import SpectralDense

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


def test_is_a_keras_layer(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return SpectralDense(4)

    run_layer_test(make, [X], [(3, 4)], tmp_path)


def test_training_finds_the_largest_singular_value():
    layer = SpectralDense(4)
    layer.build((None, 4))
    kernel = np.random.default_rng(1).normal(size=(4, 4)).astype("float32")
    layer.kernel.assign(kernel)
    layer.bias.assign([1.0, 2.0, 3.0, 4.0])
    for _ in range(100):
        found = layer(X, training=True)
    norm = np.linalg.svd(kernel)[1][0]
    np.testing.assert_allclose(found, X @ kernel / norm + [1, 2, 3, 4], 1e-4, 1e-4)
    np.testing.assert_allclose(layer(X), found, 1e-5, 1e-5)


def test_gradient_flows_through_the_norm():
    layer = SpectralDense(3)
    layer.build((None, 3))
    kernel = np.diag([3.0, 2.0, 1.0]).astype("float32")
    layer.kernel.assign(kernel)
    layer.direction.assign([[1.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(np.ones((1, 3), "float32")))
    # Of sum(K) / K[0, 0]: the norm is the first entry.
    expected = np.full((3, 3), 1 / 3)
    expected[0, 0] -= kernel.sum() / 9
    np.testing.assert_allclose(tape.gradient(loss, layer.kernel.value), expected, 1e-5)


def test_errors():
    with pytest.raises(ValueError, match="Expected `dim`.*Received: dim=0"):
        SpectralDense(0)
