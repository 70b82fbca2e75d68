import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.helpers.project import RECORDED
from xmc_keras.encoders.checkpoints.xlnet import OF_LAYER
from xmc_keras.encoders.encoder_shape import UNLIMITED, EncoderShape
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.files.bad_input import BadInput

FOLDER = RECORDED / "xlnet"
TENSORS = load_file(FOLDER / "model.safetensors")


@pytest.fixture
def folder(tmp_path):
    for name in ("config.json", "model.safetensors", "spiece.model"):
        shutil.copy(FOLDER / name, tmp_path / name)
    return tmp_path


def test_tensor_by_tensor():
    backbone, tokenizer = load_encoder(str(FOLDER))
    embeddings = backbone.token_embedding.embeddings.numpy()
    np.testing.assert_array_equal(
        embeddings, TENSORS["transformer.word_embedding.weight"]
    )
    number = 1
    for i, layer in enumerate(backbone.transformer_layers):
        by_name = {w.path.split(f"transformer_layer_{i}/")[1]: w for w in layer.weights}
        for here, there in OF_LAYER.items():
            tensor = TENSORS[f"transformer.layer.{i}.{there}"]
            if there in ("ff.layer_1.weight", "ff.layer_2.weight"):
                tensor = tensor.T
            np.testing.assert_array_equal(by_name[here].numpy(), tensor)
            number += 1
    # So none of the backbone is left out, and none of the layers in the file.
    assert number == len(backbone.trainable_weights)
    assert number == 1 + len([x for x in TENSORS if x.startswith("transformer.layer.")])
    ids = [tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id]
    assert ids == [3, 4, 5]


def test_dtype_and_shape(folder):
    half, _ = load_encoder(str(folder), dtype="mixed_bfloat16")
    assert half.dtype_policy.name == "mixed_bfloat16"
    assert half.transformer_layers[0].compute_dtype == "bfloat16"
    shape = EncoderShape.named(str(folder))
    assert shape == (3, 2, 8, 12, 820, UNLIMITED, 0)
    assert EncoderShape.of(half.get_config()) == shape
    assert 0.5 < shape.parameters / half.count_params() < 1


def test_a_model_without_head(folder):
    plain = {
        name.removeprefix("transformer."): x
        for name, x in TENSORS.items()
        if name.startswith("transformer.")
    }
    save_file(plain, folder / "model.safetensors")
    expected, found = load_encoder(str(FOLDER))[0], load_encoder(str(folder))[0]
    for a, b in zip(expected.weights, found.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"attn_type": "uni"}, "attn_type to be 'bi'.*Received: 'uni'"),
        ({"bi_data": True}, "bi_data to be False"),
        ({"clamp_len": 100}, "clamp_len to be -1"),
        ({"d_inner": None}, "Expected the sizes of an XLNet"),
        ({"d_inner": 16}, "layer_1.weight to have the shape .*16.*Received: .*12"),
        ({"d_head": 3}, "d_head to be d_model / n_head. Received: 3"),
        ({"vocab_size": 30}, "word_embedding.weight to have the shape"),
        ({"n_layer": 2}, "0 missing, 17 unknown, the first of them layer.2"),
        ({"n_layer": 4}, "17 missing, 0 unknown, the first of them layer.3"),
        ({"ff_activation": "mish"}, "ff_activation of the encoder .*'mish'"),
    ],
)
def test_a_config_that_does_not_fit(folder, changes, message):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(BadInput, match=message) as raised:
        load_encoder(str(folder))
    assert "\n" not in str(raised.value)


def test_a_config_without_a_size(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    del config["n_head"]
    path.write_text(json.dumps(config))
    with pytest.raises(BadInput, match="without 'n_head'"):
        load_encoder(str(folder))


def test_files_that_are_missing(folder):
    (folder / "spiece.model").write_bytes(b"no vocabulary")
    with pytest.raises(BadInput, match="spiece.model.*Expected XLNet's SentencePiece"):
        load_encoder(str(folder))
    (folder / "spiece.model").unlink()
    with pytest.raises(BadInput, match="no such file. Put it next to the weights"):
        load_encoder(str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadInput, match="model.safetensors or pytorch_model.bin"):
        load_encoder(str(folder))
