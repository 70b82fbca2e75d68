import os
import subprocess
import sys

import pytest

from tests.helpers.lock_holder import another_process_writes
from tests.helpers.project import PROJECT
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.version.version_folder import (
    choose_version,
    new_version,
    reserve_version,
)


def test_next_version(tmp_path):
    base = tmp_path / "model"
    assert choose_version(base) == 1
    assert choose_version(base, 7) == 7
    for name in ("2", "10", ".tmp-99-1", "x11", "٣"):
        (base / name).mkdir(parents=True)
    assert choose_version(base) == 11
    assert choose_version(base, 3) == 3


@pytest.mark.parametrize("version", [0, -1, 2**63])
def test_version_that_is_no_version(tmp_path, version):
    with pytest.raises(BadInput, match=f"a positive version. Received: {version}"):
        choose_version(tmp_path, version)


def test_version_already_there(tmp_path):
    (tmp_path / "2").mkdir()
    with pytest.raises(BadInput, match="a version that does not exist. Received: 2"):
        choose_version(tmp_path, 2)


def test_a_file_instead_of_the_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="Received: a file"):
        choose_version(tmp_path / "file")


def test_nothing_is_seen_before_it_is_whole(tmp_path):
    with new_version(tmp_path / "a" / "b", 3) as path:
        (path / "variables").mkdir()
        (path / "variables" / "data").write_text("x")
        (seen,) = os.listdir(tmp_path / "a" / "b")
        assert not seen.isdigit()
    assert os.listdir(tmp_path / "a" / "b") == ["3"]
    assert (tmp_path / "a" / "b" / "3" / "variables" / "data").read_text() == "x"


@pytest.mark.parametrize(
    "error", [BadInput("no"), KeyboardInterrupt(), OSError(28, "x")]
)
def test_after_an_error_nothing_is_left(tmp_path, error):
    (tmp_path / "a").mkdir()
    with pytest.raises(type(error)):
        with new_version(tmp_path / "a" / "b" / "c", 1) as path:
            (path / "file").touch()
            raise error
    # The folder that existed before is still there.
    assert [p.name for p in tmp_path.rglob("*")] == ["a"]


def test_other_versions_outlive_an_error(tmp_path):
    (tmp_path / "1").mkdir()
    with pytest.raises(RuntimeError):
        with new_version(tmp_path, 2):
            raise RuntimeError
    assert os.listdir(tmp_path) == ["1"]


def test_a_version_that_appears_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(BadInput, match="Expected version 1 not to exist"):
        with new_version(tmp_path, 1) as path:
            (path / "mine").touch()
            (tmp_path / "1").mkdir()
            (tmp_path / "1" / "theirs").touch()
    assert [p.name for p in sorted(tmp_path.rglob("*"))] == ["1", "theirs"]


def test_unwritable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="Expected a folder to write a version into"):
        with new_version(tmp_path / "file" / "model", 1):
            raise AssertionError("not reached")


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xmc_keras.serving.version.version_folder._sync", full)
    with pytest.raises(BadInput, match="No space left on device. Free disk space"):
        with new_version(tmp_path / "model", 1) as path:
            (path / "file").touch()
    assert os.listdir(tmp_path) == []


def test_a_killed_export_leaves_no_version(tmp_path):
    code = (
        "import os, sys\n"
        "from xmc_keras.serving.version.version_folder import new_version\n"
        "with new_version(sys.argv[1], 1) as path: os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=PROJECT)
    assert killed.returncode == -9
    assert [name for name in os.listdir(tmp_path) if name.isdigit()] == []
    assert choose_version(tmp_path) == 1


def test_what_killed_exports_left_is_deleted_whatever_their_numbers(tmp_path):
    code = (
        "import os, sys\n"
        "from xmc_keras.serving.version.version_folder import *\n"
        "with reserve_version(sys.argv[1], int(sys.argv[2])) as version:\n"
        "    with new_version(sys.argv[1], version) as path:\n"
        "        (path / 'half').write_text('half')\n"
        "        if version != 3: os.kill(os.getpid(), 9)\n"
        "    os.kill(os.getpid(), 9)"
    )
    for number in "1", "1792140000", "3":
        command = [sys.executable, "-c", code, tmp_path, number]
        assert subprocess.run(command, cwd=PROJECT).returncode == -9
        left = {
            path.name.rpartition("-")[0] or path.name for path in tmp_path.iterdir()
        }
        unfinished = f".tmp-{number}" if number != "3" else "3"
        assert left == {unfinished, f".{number}.lock"}
    (tmp_path / ".tmp-2-ab").mkdir()
    with another_process_writes(tmp_path / "2"):
        with reserve_version(tmp_path) as version:
            assert version == 4
            names = {path.name for path in tmp_path.iterdir()}
            assert names == {"3", ".tmp-2-ab", ".2.lock", ".4.lock"}
    with reserve_version(tmp_path, 2):
        pass
    assert os.listdir(tmp_path) == ["3"]
