import os

import pytest

from xmc_keras.files.atomic_files import replace_folder


def make(path, content):
    path.mkdir()
    (path / "file").write_text(content)
    return path


def contents(folder):
    return {path.name: (path / "file").read_text() for path in folder.iterdir()}


def test_in_place_of_nothing_and_of_a_folder(tmp_path):
    replace_folder(make(tmp_path / "run.part", "first"), tmp_path / "run")
    assert contents(tmp_path) == {"run": "first"}
    replace_folder(make(tmp_path / "run.part", "second"), tmp_path / "run")
    assert contents(tmp_path) == {"run": "second"}


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_killed_at_any_rename_something_is_whole(tmp_path, monkeypatch, renames):
    make(tmp_path / "run", "first"), make(tmp_path / "run.old", "zeroth")
    new, replace, left = make(tmp_path / "run.part", "second"), os.replace, [renames]

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


def test_what_stepped_aside_is_kept_until_the_new_one_is_there(tmp_path):
    make(tmp_path / "run.old", "first")
    replace_folder(make(tmp_path / "run.part", "second"), tmp_path / "run")
    assert contents(tmp_path) == {"run": "second"}
