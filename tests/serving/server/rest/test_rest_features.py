"""Features instead of texts over REST, with numbers that have no norm."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.rest_server import OneVersion, post, serving
from tests.helpers.tiny_lightdxml import make_lightdxml
from xmc_keras.serving.graph.feature_serving_module import FeatureServingModule
from xmc_keras.serving.server.served_model import ServedModel


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    module = FeatureServingModule([make_lightdxml(vectorizer=False)], k=3)
    path = tmp_path_factory.mktemp("features")
    tf.saved_model.save(module, str(path), module.signatures())
    model = ServedModel(path)
    with serving(OneVersion("m", model)) as port:
        yield port
    model.close()


def body(indices="1, 2", values="0.5, 2", row_splits="0, 2", more=""):
    inputs = f'"indices": [{indices}], "values": [{values}]'
    return f'{{"inputs": {{{inputs}, "row_splits": [{row_splits}]}}{more}}}'


def test_features_are_answered(port):
    found = post(port, body())
    assert found.status == 200
    assert np.isfinite(found.json["outputs"]["scores"]).all()


@pytest.mark.parametrize(
    "values",
    ["NaN, 1", "1, 1e38", "1, Infinity", "-Infinity, 1", "0, 2e-38"],
)
def test_values_without_a_norm_are_refused(port, values):
    found = post(port, body(values=values))
    assert found.status == 400
    assert found.json["error"].startswith("assertion failed: [Expected finite values")
    assert "Scale the row, or correct it" in found.json["error"]
    assert "row] [0]" in found.json["error"]


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"values": "1e999, 1"}, "too big"),
        ({"values": "1e39, 1"}, "without loss of precision"),
        ({"indices": "-1, 2"}, "Leave out other features. Received: row] [0] [with"),
        ({"indices": "1, 99"}, "with index] [99]"),
        ({"indices": f"1, {2**31}"}, "int32"),
        ({"row_splits": "0, 1"}, "Expected row_splits"),
        ({"row_splits": ""}, "Expected row_splits"),
        ({"values": "1"}, "as many values as indices"),
    ],
)
def test_wrong_features_are_refused(port, wrong, message):
    found = post(port, body(**wrong))
    assert found.status == 400 and message in found.json["error"]
