"""Encoders as in PyTorch: what tests/record_encoders.py has recorded."""

import json
import lzma
import shutil

import huggingface_hub
import keras
import numpy as np
import pytest
from huggingface_hub.errors import EntryNotFoundError
from safetensors.numpy import load_file, save_file

from tests.helpers.project import RECORDED
from xmc_keras.encoders.checkpoints.hugging_face import read_hugging_face_config
from xmc_keras.encoders.multi_layer_cls_encoder import (
    MultiLayerCLSEncoder,
    collect_layer_states,
)
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.files.bad_input import BadInput
from xmc_keras.text.text_tokenizer import TextTokenizer

SOURCES = {
    "xlnet": str(RECORDED / "xlnet"),
    "roberta": str(RECORDED / "roberta"),
    "minilm": "minilm",
}
STATES = np.load(RECORDED / "states.npz")


@pytest.fixture(scope="module")
def encoders():
    return {name: load_encoder(source) for name, source in SOURCES.items()}


@pytest.mark.parametrize("name", SOURCES)
def test_hidden_states_of_all_layers(name, encoders):
    backbone, _ = encoders[name]
    ids, mask = STATES[f"{name}_ids"], STATES[f"{name}_mask"]
    expected = STATES[f"{name}_states"]  # (layers, documents, tokens, dim)
    model = keras.Model(backbone.input, collect_layer_states(backbone))
    inputs = {"token_ids": ids, "padding_mask": mask.astype("int32")}
    inputs["segment_ids"] = np.zeros_like(ids)
    states = model({key: inputs[key] for key in backbone.input})
    assert len(states) == len(expected) == len(backbone.transformer_layers)
    for found, recorded in zip(states, expected):
        assert np.abs(recorded).max() > 0.5
        np.testing.assert_allclose(found.numpy()[mask], recorded[mask], atol=1e-4)
    # And what the model is fed with: the last layer's [CLS] first.
    features = MultiLayerCLSEncoder(backbone, 2)(inputs).numpy()
    cls = -1 if name == "xlnet" else 0
    both = np.concatenate([expected[-1][:, cls], expected[-2][:, cls]], axis=-1)
    np.testing.assert_allclose(features, both, atol=1e-4)


@pytest.mark.parametrize("name", SOURCES)
def test_token_ids_of_two_thousand_hard_strings(name, encoders):
    lines = lzma.decompress((RECORDED / "ids.jsonl.xz").read_bytes()).splitlines()
    recorded = [json.loads(line) for line in lines]
    recorded = [line for line in recorded if name in line]
    assert len(recorded) >= (2000 if name == "minilm" else 600)
    tokenizer = TextTokenizer(encoders[name][1], 100_000)
    texts = [line["text"] for line in recorded]
    token_ids, offsets = tokenizer(texts)
    rows = [row.tolist() for row in np.split(token_ids, offsets[1:-1])]
    in_graph = tokenizer.ragged_ids(texts).to_list()
    for line, eager, graph in zip(recorded, rows, in_graph, strict=True):
        assert eager == graph == line[name], line["text"]


def test_gelu_follows_the_checkpoint(tmp_path):
    shutil.copytree(RECORDED / "roberta", tmp_path, dirs_exist_ok=True)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    for there, here in (("gelu", "gelu"), ("gelu_new", "gelu_tanh"), ("relu", "relu")):
        path.write_text(json.dumps({**config, "hidden_act": there}))
        backbone, _ = load_encoder(str(tmp_path))
        assert MultiLayerCLSEncoder(backbone, 1).activation == here
    path.write_text(json.dumps({**config, "hidden_act": "mish"}))
    with pytest.raises(BadInput, match="hidden_act .* to be one of .*'mish'"):
        load_encoder(str(tmp_path))


def test_a_config_of_another_kind(tmp_path, tiny_encoder):
    assert read_hugging_face_config(str(tmp_path)) == {}
    assert read_hugging_face_config(str(tiny_encoder)) == {}
    assert read_hugging_face_config("kaggle://owner/name") == {}
    (tmp_path / "config.json").write_text("[3]")
    assert read_hugging_face_config(str(tmp_path)) == {}


@pytest.mark.parametrize("kept", ["model.safetensors", "pytorch_model.bin"])
def test_a_handle_of_xlnet(kept, tmp_path, monkeypatch, encoders):
    """The hub is a folder here: it cannot be reached from where tests run."""
    asked = []

    def download(repo, name):
        asked.append(name)
        if name in ("model.safetensors", "pytorch_model.bin") and name != kept:
            raise EntryNotFoundError("404")
        shutil.copy(RECORDED / "xlnet" / name, tmp_path / name)
        assert repo == "xlnet/tiny"
        return str(tmp_path / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    backbone, tokenizer = load_encoder("hf://xlnet/tiny")
    assert {"config.json", kept, "spiece.model"} <= set(asked)
    for a, b in zip(backbone.weights, encoders["xlnet"][0].weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert tokenizer.proto == encoders["xlnet"][1].proto


def change(folder, tmp_path, **changes):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return str(tmp_path)


def test_roberta_without_token_types(tmp_path):
    source = change(RECORDED / "roberta", tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    (name,) = [x for x in tensors if "token_type" in x]
    removed = tensors.pop(name)
    save_file(tensors, path)
    positions = [
        load_encoder(one)[0].embeddings.position_embedding.position_embeddings.numpy()
        for one in (source, SOURCES["roberta"])
    ]
    np.testing.assert_allclose(positions[0] + removed, positions[1], atol=1e-6)
