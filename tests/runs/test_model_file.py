import subprocess
import sys
import tempfile
import zipfile

import keras
import numpy as np
import pytest

from tests.helpers.full_disk import largest_file, small_disk
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import DiskError
from xmc_keras.runs.model_file import load_model, load_state, save_model, save_state


@keras.saving.register_keras_serializable("test_model_file")
class WithAsset(keras.Sequential):
    """A model with a file of its own, as label names are."""

    def save_assets(self, folder):
        with open(f"{folder}/asset", "wb") as file:
            file.write(b"a" * 5000)

    def load_assets(self, folder):
        with open(f"{folder}/asset", "rb") as file:
            assert file.read() == b"a" * 5000


def make(seed=0):
    keras.utils.set_random_seed(seed)
    model = WithAsset(
        [keras.Input([30]), keras.layers.Dense(40), keras.layers.Dense(2)]
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def save_all(path, model):
    save_state(path, model, model.optimizer)


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("save", [lambda p, m: save_model(m, p), save_all])
def test_a_disk_of_any_size(tmp_path, save):
    whole = tmp_path / "whole.keras"
    model = make()
    save(whole, model)
    with small_disk(tmp_path / "disk") as disk:
        path = disk.path / "a.keras"
        path.write_bytes(b"earlier")
        refused = 0
        for kilobytes in range(4, 200, 4):
            disk.resize(kilobytes)
            try:
                save(path, model)
                break
            except DiskError as error:
                refused += 1
                assert str(error).startswith(f"{disk.path}")
            assert path.read_bytes() == b"earlier" and names(disk.path) == {"a.keras"}
        assert refused > 4 and path.stat().st_size == whole.stat().st_size
        assert zipfile.ZipFile(path).testzip() is None


@pytest.mark.parametrize("save", [lambda p, m: save_model(m, p), save_all])
def test_a_limit_of_any_size(tmp_path, save):
    path, model = tmp_path / "a.keras", make()
    for most in range(0, 20_000, 1000):
        with largest_file(most), pytest.raises(DiskError, match="File too large|full"):
            save(path, model)
        assert not list(tmp_path.iterdir())
    save(path, model)
    assert names(tmp_path) == {"a.keras"} and model.optimizer is not None


def test_no_space_to_unpack(tmp_path, monkeypatch):
    model = make()
    save_model(model, tmp_path / "a.keras")
    with small_disk(tmp_path / "disk", 8) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk.path))
        with pytest.raises(DiskError, match="Expected space to unpack .*TMPDIR"):
            load_model(tmp_path / "a.keras")
        assert not names(disk.path)
        disk.resize(400)
        load_model(tmp_path / "a.keras")
        assert not names(disk.path)


def test_a_flipped_byte_anywhere(tmp_path):
    path, model = tmp_path / "a.keras", make()
    save_model(model, path)
    expected, content = model.get_weights(), path.read_bytes()
    found = 0
    for place in range(3, len(content), 1 + len(content) // 200):
        changed = bytearray(content)
        changed[place] ^= 4
        path.write_bytes(changed)
        try:
            weights = load_model(path).get_weights()
        except BadInput as error:
            found += 1
            assert str(error).startswith(f"{path}: Expected a saved model. ")
            continue
        for weight, other in zip(weights, expected, strict=True):
            np.testing.assert_array_equal(weight, other)
    assert found > 150


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_come_back_as_they_were(tmp_path, dtype):
    keras.config.set_dtype_policy(dtype)
    model, other = make(0), make(1)
    model.fit(np.ones([8, 30]), np.ones([8, 2]), verbose=0)
    save_all(tmp_path / "a.npz", model)
    load_state(tmp_path / "a.npz", other, other.optimizer)
    ours, theirs = ([*m.variables, *m.optimizer.variables] for m in (model, other))
    assert len(ours) > 10
    for weight, again in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(weight.numpy(), again.numpy())
    with pytest.raises(ValueError, match="4 variables, not|variables, not 4"):
        load_state(tmp_path / "a.npz", other)


def test_a_new_process_knows_all_models():
    code = (
        "import keras, xmc_keras.runs.model_file\n"
        "names = 'LightXML LightDXML OneVsAll Hybrid'.split()\n"
        "for name in names:\n"
        "    assert keras.saving.get_registered_object(f'xmc_keras>{name}'), name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
