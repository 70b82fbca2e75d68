import keras
import numpy as np

from tests.helpers.encoder_kinds import IDS, made
from tests.helpers.layer_test import run_layer_test
from tests.helpers.tiny_bert import SIZES
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.encoders.xlnet.xlnet_backbone import RelativePositions, XLNetBackbone

INPUTS = {"token_ids": IDS, "padding_mask": (IDS > 0).astype("int32")}


def test_padding_may_stand_on_either_side():
    backbone = made("xlnet")
    left = {name: x.copy() for name, x in INPUTS.items()}
    for x in left.values():
        x[1], x[2] = np.roll(x[1], 2), np.roll(x[2], 1)
    on_left, on_right = backbone(left).numpy(), backbone(INPUTS).numpy()
    np.testing.assert_allclose(on_left[1, 2:], on_right[1, :3], 1e-4, 1e-5)
    np.testing.assert_allclose(on_left[2, 1:], on_right[2, :4], 1e-4, 1e-5)
    encoder = MultiLayerCLSEncoder(backbone, 2)
    np.testing.assert_allclose(encoder(left), encoder(INPUTS), 1e-4, 1e-5)


def test_positions():
    states = np.zeros((2, 3, 4), "float32")
    found = RelativePositions()(states).numpy()
    for row, distance in zip(found, [3, 2, 1, 0, -1, -2], strict=True):
        angles = distance * np.array([1, 1 / 100])
        expected = [*np.sin(angles), *np.cos(angles)]
        np.testing.assert_allclose(row, expected, atol=1e-6)
    half = RelativePositions(dtype="mixed_bfloat16")(np.zeros((1, 600, 4)))
    # Odd distances above 256, too: 600, 599, 598.
    np.testing.assert_allclose(
        np.asarray(half[:3, 0], "float32"), np.sin([600, 599, 598]), atol=0.01
    )


def test_config():
    backbone = XLNetBackbone(**{**SIZES, "dropout": 0.2}, activation="relu")
    config = backbone.get_config()
    assert config["dropout"] == 0.2 and config["activation"] == "relu"
    again = XLNetBackbone.from_config(config)
    assert again.get_config() == config
    again.set_weights(backbone.get_weights())
    np.testing.assert_allclose(again(INPUTS), backbone(INPUTS), 1e-5, 1e-6)
    assert again.transformer_layers[1].dropout == 0.2


def test_is_a_keras_layer_as_an_encoder(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return MultiLayerCLSEncoder(XLNetBackbone(**SIZES), 2, dropout=0.0)

    run_layer_test(make, [INPUTS], [(3, 8)], tmp_path)
