"""Models and weights in files that a full disk or a flipped bit cannot spoil.

Both are zip archives, whose checksums are compared when they are read. A full disk
raises a `DiskError`, because HDF5 writes to memory alone: on a full disk it ends the
process with a segmentation fault.
"""

import contextlib
import tempfile
import zipfile
from pathlib import Path

import keras
import ml_dtypes
import numpy as np

# Registers the models and their layers.
import xmc_keras.lightdxml.lightdxml
import xmc_keras.lightxml.lightxml
import xmc_keras.one_vs_all.one_vs_all
import xmc_keras.recommending.hybrid  # noqa: F401
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import DiskError, find_disk_error
from xmc_keras.ops.distribution.sharded_table import (
    assign_whole,
    is_sharded,
    read_whole,
)
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.ops.keras_internals import write_keras_file


def save_model(model, path, members=None):
    """Saves a model as `.keras`, atomically, without the optimizer's state.

    Memory: the size of the file, once more.

    Args:
        model: a built Keras model.
        path: string or path.
        members: optional dictionary of names and bytes, further members of the archive,
            which Keras does not read.

    Raises:
        DiskError: the file cannot be written.
    """

    def add(part):
        with zipfile.ZipFile(part, "a") as archive:
            for name, data in (members or {}).items():
                archive.writestr(name, data)

    # Without an optimizer if it was never compiled. Keras would compile the loaded
    # model, and then miss the state of its optimizer.
    optimizer, model.optimizer = getattr(model, "optimizer", None), None
    compiled, model.compiled = getattr(model, "compiled", False), False
    try:
        with temporary_files(Path(path).parent), atomic_write(path, add) as file:
            write_keras_file(model, file)
    finally:
        model.optimizer, model.compiled = optimizer, compiled


def load_model(path):
    """Loads a `.keras` file and checks it; raises `BadInput` if it is damaged.

    A folder is read, too, as Keras has it on the hub: what is in the file, unpacked.
    """
    try:
        with temporary_files():
            if not Path(path).is_dir():
                with zipfile.ZipFile(path) as archive:
                    # Keras does not compare the checksum of the weights.
                    if damaged := archive.testzip():
                        raise zipfile.BadZipFile(f"Bad CRC-32 for file {damaged!r}")
            return keras.models.load_model(path, compile=False)
    except Exception as error:  # zip, HDF5 and Keras raise many types
        if (found := find_disk_error(error)) and not is_of(error, path):
            place = getattr(error, "filename", None) or tempfile.gettempdir()
            raise DiskError(
                f"Expected space to unpack {path}. Received: {found.strerror}.",
                place,
                remedy="Free disk space there, or set TMPDIR to another folder.",
            ) from error
        reason = " ".join(str(error).split())[:300]
        raise BadInput(
            f"Expected a saved model. Received: a file that cannot be read ({reason}).",
            path,
            remedy="Restore the file, or train the run again.",
        ) from error


def is_of(error, path):
    """Whether an `OSError` names this file."""
    return str(getattr(error, "filename", None)) == str(path)


@contextlib.contextmanager
def temporary_files(folder=None):
    """Context manager in which temporary files go to a folder that is then deleted.

    Keras leaves its own behind after an error. In the folder of the result they are on
    the disk that has to have space anyway.

    Args:
        folder: optional path. Where the folder is made; by default where temporary
            files go.
    """
    earlier = tempfile.tempdir
    try:
        made = tempfile.TemporaryDirectory(dir=folder, prefix=".tmp-")
    except OSError as error:
        raise DiskError.of(error, folder or tempfile.gettempdir()) from error
    with made as tempfile.tempdir:
        try:
            yield
        finally:
            tempfile.tempdir = earlier


def save_state(path, model, optimizer=None):
    """Saves the state of a model and its optimizer as `.npz`, one after another.

    Unlike Keras it also saves the seeds and counters of dropout layers. Of workers with
    a sharded table, all have to call it; the chief writes.

    Memory: the largest variable, once more.

    Args:
        path: string or path; None on other workers than the chief.
        model: a built Keras model.
        optimizer: optional Keras optimizer, built.

    Raises:
        DiskError: the file cannot be written.
    """
    variables = _variables(model, optimizer)
    if path is None:
        for variable in filter(is_sharded, variables):
            read_whole(variable)
        return
    with atomic_write(path) as file:
        # `np.savez` asks for an array when it writes it.
        np.savez(file, *map(_Lazy, variables))


def load_state(path, model, optimizer=None):
    """Loads what `save_state` has saved into the same model and optimizer.

    Of several workers all have to call it: the chief reads, the others get the values.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: the file is missing, damaged
            or of another model.
    """
    variables, workers = _variables(model, optimizer), Workers.of(model)
    with contextlib.ExitStack() as stack:
        if workers.is_chief:
            # Opened here, because `np.load` leaves damaged files open.
            arrays = stack.enter_context(np.load(stack.enter_context(open(path, "rb"))))
            if len(arrays) != len(variables):
                raise ValueError(f"{len(arrays)} variables, not {len(variables)}")
        for i, variable in enumerate(variables):
            array = workers.broadcast(arrays[f"arr_{i}"] if workers.is_chief else None)
            if variable.dtype == "bfloat16":
                array = array.view(ml_dtypes.bfloat16)
            assign_whole(variable, array)


def _variables(model, optimizer):
    return [*model.variables, *(optimizer.variables if optimizer else ())]


class _Lazy:
    """A variable that becomes an array when it is written."""

    def __init__(self, variable):
        self.variable = variable

    def __array__(self, dtype=None, copy=None):
        array = read_whole(self.variable)
        # NumPy's format has no bfloat16.
        return array.view(np.uint16) if self.variable.dtype == "bfloat16" else array
