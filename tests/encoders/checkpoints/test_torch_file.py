import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from tests.helpers.project import RECORDED
from xmc_keras.encoders.checkpoints.torch_file import read_torch_file
from xmc_keras.files.bad_input import BadInput

FOLDER = RECORDED / "xlnet"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "old.bin"])
def test_tensors_are_those_of_safetensors(name):
    expected = load_file(FOLDER / "model.safetensors")
    found = read_torch_file(FOLDER / name)
    assert set(found) >= set(expected)
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype
        np.testing.assert_array_equal(found[key], tensor)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", pytest.param("old.bin", marks=pytest.mark.large)]
)
@settings(deadline=None, max_examples=30)
@given(cut=st.floats(0, 0.999), flips=st.lists(st.floats(0, 0.999), max_size=3))
def test_damage_is_reported_or_harmless(name, cut, flips, tmp_path_factory):
    data = bytearray((FOLDER / name).read_bytes())
    whole = {key: x.shape for key, x in read_torch_file(FOLDER / name).items()}
    for place in flips:
        data[int(place * len(data))] ^= 0x41
    if not flips:
        del data[int(cut * len(data)) :]
    path = tmp_path_factory.mktemp("damaged") / "x.bin"
    path.write_bytes(data)
    try:
        found = read_torch_file(path)
    except BadInput as error:
        assert "Expected a PyTorch file" in str(error) and "\n" not in str(error)
    else:
        # Only bytes of numbers, or bytes that are never read.
        assert all(isinstance(x, np.ndarray) for x in found.values())
        assert flips and len(found) <= len(whole)


class Program:
    def __reduce__(self):
        return (print, ("done",))


@pytest.mark.parametrize("in_archive", [True, False])
def test_nothing_is_run(in_archive, tmp_path, capsys):
    path, data = tmp_path / "x.bin", pickle.dumps({"a": Program()}, 2)
    if in_archive:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", data)
    else:
        path.write_bytes(data)
    with pytest.raises(BadInput, match="it calls builtins.print|__builtin__.print"):
        read_torch_file(path)
    assert capsys.readouterr().out == ""


class Reference:
    """Pickled as PyTorch pickles a tensor, of a storage by name."""

    def __init__(self, name, numel, offset, size, stride):
        self.storage = name, numel
        self.place = offset, size, stride


class Pickler(pickle._Pickler):
    """Writes `Reference` with the instructions that PyTorch's pickles have."""

    def save(self, obj, *args, **kwargs):
        if not isinstance(obj, Reference):
            return super().save(obj, *args, **kwargs)
        name, numel = obj.storage
        self.write(b"ctorch._utils\n_rebuild_tensor_v2\n(")
        self.write(b"(")
        super().save("storage")
        self.write(f"ctorch\n{name}\n".encode())
        for part in ("0", "cpu", numel):
            super().save(part)
        self.write(b"tQ")
        for part in obj.place:
            super().save(part)
        self.write(b"\x89N" + b"tR")


def archive_of(path, tensor, data):
    with zipfile.ZipFile(path, "w") as archive, archive.open("m/data.pkl", "w") as file:
        Pickler(file, 2).dump({"x": tensor})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("m/data/0", data)


@pytest.mark.parametrize(
    "name, dtype",
    [("FloatStorage", "<f4"), ("HalfStorage", "<f2"), ("LongStorage", "<i8")],
)
def test_views_of_a_storage(name, dtype, tmp_path):
    numbers = np.arange(12).astype(dtype)
    tensor = Reference(name, 12, 1, (3, 2), (1, 4))  # transposed, from the second on
    archive_of(tmp_path / "x.bin", tensor, numbers.tobytes())
    found = read_torch_file(tmp_path / "x.bin")["x"]
    np.testing.assert_array_equal(found, [[1, 5], [2, 6], [3, 7]])
    assert found.dtype == dtype


def test_bfloat16(tmp_path):
    data = struct.pack("<2H", 0x3F80, 0xC000)
    archive_of(tmp_path / "x.bin", Reference("BFloat16Storage", 2, 0, (2,), (1,)), data)
    found = read_torch_file(tmp_path / "x.bin")["x"]
    assert found.astype("float32").tolist() == [1.0, -2.0]


@pytest.mark.parametrize(
    "place", [(0, (13,), (1,)), (1, (12,), (1,)), (0, (2,), (-1,)), (-1, (2,), (1,))]
)
def test_a_tensor_beyond_its_storage(place, tmp_path):
    archive_of(
        tmp_path / "x.bin", Reference("FloatStorage", 12, *place), b"\0" * 12 * 4
    )
    with pytest.raises(BadInput, match="outside the file"):
        read_torch_file(tmp_path / "x.bin")


def test_no_such_file(tmp_path):
    with pytest.raises(BadInput, match="FileNotFoundError"):
        read_torch_file(tmp_path / "x.bin")
