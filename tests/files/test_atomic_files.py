"""Files and folders that exist only once they are complete."""

import gzip
import os

import pytest

from xmc_keras.files.atomic_files import atomic_write, replace_folder


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_file_is_whole_or_as_it_was(tmp_path, name):
    path = tmp_path / name
    read = gzip.decompress if name.endswith(".gz") else bytes
    for content in (b"sea", b"sky"):
        with atomic_write(path) as file:
            file.write(content)
            assert not path.exists() or read(path.read_bytes()) == b"sea"
        assert read(path.read_bytes()) == content
    with pytest.raises(OSError, match="full"), atomic_write(str(path)) as file:
        file.write(b"half")
        raise OSError("disk full")
    assert read(path.read_bytes()) == b"sky"
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_compressed_bytes_depend_on_the_content_alone(tmp_path):
    for name in ("a.gz", "b.gz"):
        with atomic_write(tmp_path / name) as file:
            file.write(b"sea" * 1000)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.gz", "b.gz"))
    assert first == second and len(first) < 1000


def make_folder(path, content):
    path.mkdir()
    (path / "file").write_text(content)
    return path


def contents(folder):
    return {path.name: (path / "file").read_text() for path in folder.iterdir()}


def test_replace_folder_with_and_without_an_old_one(tmp_path):
    replace_folder(make_folder(tmp_path / "run.part", "first"), tmp_path / "run")
    assert contents(tmp_path) == {"run": "first"}
    replace_folder(make_folder(tmp_path / "run.part", "second"), tmp_path / "run")
    assert contents(tmp_path) == {"run": "second"}


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_replace_folder_killed_at_any_rename_leaves_a_whole_one(
    tmp_path, monkeypatch, renames
):
    make_folder(tmp_path / "run", "first"), make_folder(tmp_path / "run.old", "zeroth")
    new, replace, left = (
        make_folder(tmp_path / "run.part", "second"),
        os.replace,
        [renames],
    )

    def replace_or_die(source, target):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_or_die)
    if renames < 2:
        with pytest.raises(KeyboardInterrupt):
            replace_folder(new, tmp_path / "run")
    else:
        replace_folder(new, tmp_path / "run")
    expected = {
        0: {"run": "first", "run.part": "second"},
        1: {"run.old": "first", "run.part": "second"},
        2: {"run": "second"},
    }
    assert contents(tmp_path) == expected[renames]


def test_old_folder_is_kept_until_the_new_one_is_there(tmp_path):
    make_folder(tmp_path / "run.old", "first")
    replace_folder(make_folder(tmp_path / "run.part", "second"), tmp_path / "run")
    assert contents(tmp_path) == {"run": "second"}
