"""Reading files of `torch.save` without PyTorch."""

import collections
import pickle
import struct
import zipfile
from typing import NamedTuple

import ml_dtypes
import numpy as np

from xmc_keras.files.bad_input import BadInput

MAGIC = 0x1950A86A20F9469CFC6C  # of files before PyTorch 1.6
DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "BoolStorage": np.dtype("?"),
}


class Storage(NamedTuple):
    """The flat array that tensors are views of, by its key in the file."""

    key: str
    dtype: np.dtype
    numel: int


class Strided(NamedTuple):
    """A tensor whose numbers have not been read yet."""

    storage: Storage
    offset: int
    size: tuple
    stride: tuple


def read_torch_file(path):
    """Reads a dictionary of tensors, such as `pytorch_model.bin`.

    Reads both formats of PyTorch: a zip archive since 1.6, and a sequence of pickles
    before. A pickle is a program, so only the calls that build tensors are allowed.

    Args:
        path: string or path.

    Returns:
        Dictionary of name to array.

    Raises:
        BadInput: the file is damaged, or holds anything but tensors.

    Source: `torch/serialization.py`, `_load` and `_legacy_load`.
    """
    try:
        if zipfile.is_zipfile(path):
            tensors, storages = _read_archive(path)
        else:
            tensors, storages = _read_pickles(path)
        strided = {name: x for name, x in tensors.items() if isinstance(x, Strided)}
        return {n: _to_array(x, storages[x.storage.key]) for n, x in strided.items()}
    except Exception as error:  # a damaged pickle can fail anywhere
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise BadInput(
            "Expected a PyTorch file with a dictionary of tensors. Received: a file "
            f"that cannot be read ({reason}). Download it again, or get "
            "model.safetensors instead.",
            path,
        ) from None


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module in ("torch", "torch.storage") and name in DTYPES:
            return DTYPES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_: Strided(
                storage, offset, size, stride
            )
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda data, *_: data
        raise pickle.UnpicklingError(f"it calls {module}.{name}")

    def persistent_load(self, saved):
        kind, dtype, key, _, numel, *view = saved
        if kind != "storage" or any(view):
            raise pickle.UnpicklingError(f"it contains {saved!r}")
        return Storage(str(key), dtype, numel)


def _read_archive(path):
    with zipfile.ZipFile(path) as archive:
        (program,) = (x for x in archive.namelist() if x.endswith("/data.pkl"))
        folder = program.removesuffix("data.pkl")
        order = folder + "byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")
        with archive.open(program) as file:
            tensors = _Unpickler(file).load()
        wanted = {
            x.storage.key: x.storage for x in tensors.values() if isinstance(x, Strided)
        }
        return tensors, {
            key: np.frombuffer(archive.read(f"{folder}data/{key}"), storage.dtype)
            for key, storage in wanted.items()
        }


def _read_pickles(path):
    with open(path, "rb") as file:
        if _Unpickler(file).load() != MAGIC:
            raise ValueError("its magic number is wrong")
        _Unpickler(file).load()  # protocol version
        if not _Unpickler(file).load().get("little_endian", True):
            raise ValueError("its numbers are big-endian")
        tensors = _Unpickler(file).load()
        dtypes = {
            x.storage.key: x.storage.dtype
            for x in tensors.values()
            if isinstance(x, Strided)
        }
        storages = {}
        for key in _Unpickler(file).load():
            (numel,) = struct.unpack("<q", file.read(8))
            dtype = dtypes[str(key)]
            data = file.read(numel * dtype.itemsize)
            storages[str(key)] = np.frombuffer(data, dtype, numel)
        return tensors, storages


def _to_array(tensor, storage):
    size, stride = tensor.size, tensor.stride
    last = tensor.offset + sum((n - 1) * s for n, s in zip(size, stride))
    if min([tensor.offset, *stride, *size]) < 0 or len(size) != len(stride):
        raise ValueError("a tensor lies outside the file")
    if 0 in size:
        return np.zeros(size, storage.dtype)
    if last >= len(storage):
        raise ValueError("a tensor lies outside the file")
    steps = [s * storage.itemsize for s in stride]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset :], size, steps)
    return view.copy()
