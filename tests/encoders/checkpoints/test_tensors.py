import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.helpers.project import RECORDED
from xmc_keras.encoders.checkpoints.tensors import read_checkpoint_tensors
from xmc_keras.files.bad_input import BadInput

FOLDER = RECORDED / "xlnet"


def test_safetensors_come_first(tmp_path):
    tensors, path = read_checkpoint_tensors(FOLDER)
    assert path == FOLDER / "model.safetensors" and len(tensors) > 50
    shutil.copy(FOLDER / "old.bin", tmp_path / "pytorch_model.bin")
    others, path = read_checkpoint_tensors(tmp_path)
    assert path == tmp_path / "pytorch_model.bin"
    assert set(tensors) <= set(others)


def test_several_files(tmp_path):
    save_file({"a": np.ones(2, "float32")}, tmp_path / "part1.safetensors")
    save_file({"b": np.zeros(3, "float32")}, tmp_path / "part2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    parts = {"a": "part1.safetensors", "b": "../" * 9 + "part2.safetensors"}
    index.write_text(json.dumps({"weight_map": parts}))
    tensors, path = read_checkpoint_tensors(tmp_path)
    assert path == index
    assert {name: x.shape for name, x in tensors.items()} == {"a": (2,), "b": (3,)}
    for content in ("{", "[]", "{}", '{"weight_map": 3}'):
        index.write_text(content)
        with pytest.raises(BadInput, match="Expected an index of weights"):
            read_checkpoint_tensors(tmp_path)


def test_no_weights_and_damaged_ones(tmp_path):
    with pytest.raises(BadInput, match="model.safetensors or pytorch_model.bin"):
        read_checkpoint_tensors(tmp_path)
    whole = (FOLDER / "model.safetensors").read_bytes()
    for data in (b"", b"no weights", whole[:100], whole[:-1]):
        (tmp_path / "model.safetensors").write_bytes(data)
        with pytest.raises(BadInput, match="Expected a safetensors file"):
            read_checkpoint_tensors(tmp_path)
