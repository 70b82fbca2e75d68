import errno
import os

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.full_disk import largest_file, small_disk
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import DiskError, explain_disk_errors


def write_bytes(file):
    file.write(b"x" * 200_000)


def write_array(file):
    np.save(file, np.zeros(50_000))  # `tofile` does not say why it fails


def write_arrays(file):
    np.savez(file, a=np.zeros(50_000), b=np.zeros(3))


@pytest.mark.parametrize("name", ["a", "a.gz"])
@pytest.mark.parametrize("write", [write_bytes, write_array, write_arrays])
def test_a_file_on_a_full_disk(tmp_path, write, name):
    with small_disk(tmp_path / "disk", 64) as disk:
        path = disk.path / name
        path.write_bytes(b"whole")
        (disk.path / "other").write_bytes(b"x" * 60_000)
        with pytest.raises(DiskError) as error, atomic_write(path) as file:
            for _ in range(400):  # compressed, too
                write(file)
                file.write(os.urandom(1000))
        assert str(error.value).startswith(
            f"{path}: Expected to write here. Received: "
        )
        assert "Free disk space, then run it again." in str(error.value)
        assert path.read_bytes() == b"whole"
        assert {p.name for p in disk.path.iterdir()} == {name, "other"}


@pytest.mark.parametrize("write", [write_bytes, write_array, write_arrays])
def test_a_file_beyond_a_limit(tmp_path, write):
    path = tmp_path / "a"
    with largest_file(100_000):
        with pytest.raises(DiskError), atomic_write(path) as file:
            write(file)
    assert not list(tmp_path.iterdir())
    with atomic_write(path) as file:
        write(file)
    assert path.stat().st_size >= 200_000


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(DiskError, match="/no/a: .* No such file"):
        with explain_disk_errors(tmp_path / "no/a"):
            with atomic_write(tmp_path / "no/a.tmp"):
                pass


def test_what_tensorflow_says_of_a_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", 16) as disk:
        with pytest.raises(DiskError, match="events: .* No space left on device. Free"):
            with explain_disk_errors(disk.path / "events", tf.errors.OpError):
                tf.io.write_file(str(disk.path / "a"), b"x" * 100_000)


def test_a_file_of_its_own_keeps_its_name(tmp_path):
    """Within TensorFlow's errors alone, as a model that is saved while it trains."""
    with pytest.raises(DiskError, match="/no/best.keras: .* No such file"):
        with explain_disk_errors(tmp_path / "events", tf.errors.OpError):
            with atomic_write(tmp_path / "no/best.keras"):
                pass


def test_other_errors_stay_what_they_are(tmp_path):
    path = tmp_path / "a"
    for error in (
        KeyError("b"),
        OSError("without a number"),
        FileNotFoundError(errno.ENOENT, "No such file", "other"),
        PermissionError(errno.EACCES, "Permission denied", "other"),
        BadInput("no"),
    ):
        with pytest.raises(type(error)) as raised, atomic_write(path):
            raise error
        assert raised.value is error
    assert not list(tmp_path.iterdir())
