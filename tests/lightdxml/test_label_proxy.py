import keras
import numpy as np
import pytest

from tests.helpers.layer_test import run_layer_test
from xmc_keras.lightdxml.label_proxy import LabelProxy

CENTROIDS = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def test_is_a_keras_layer(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return LabelProxy(hidden_dim=7)

    run_layer_test(make, [CENTROIDS], [(5, 3)], tmp_path)


def test_starts_as_the_identity():
    found = LabelProxy(hidden_dim=6)(CENTROIDS)
    np.testing.assert_allclose(found, CENTROIDS, 1e-4, 1e-5)


def test_is_two_affine_maps_without_activation():
    proxy = LabelProxy(hidden_dim=2)
    proxy.build((None, 3))
    rng = np.random.default_rng(1)
    inner, b1, outer, b2 = (rng.normal(size=w.shape) for w in proxy.weights)
    proxy.set_weights([inner, b1, outer, b2])
    expected = (CENTROIDS @ inner + b1) @ outer + b2
    np.testing.assert_allclose(proxy(CENTROIDS), expected, 1e-5, 1e-5)


def test_errors():
    with pytest.raises(ValueError, match="Expected `hidden_dim`.*hidden_dim=0"):
        LabelProxy(0)
