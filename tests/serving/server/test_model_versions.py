import logging
import re
import threading

import pytest

from tests.helpers.version_folder import Model, looks, served, states, wait_for
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.find_versions import find_versions
from xmc_keras.serving.server.serving_error import ServingError
from xmc_keras.serving.server.version_state import VersionState


def test_the_newest_number_is_served(folder, versions):
    for name in ("2", "000010", "9", ".tmp-11", "12a", "1.5", "-13", str(2**63)):
        folder.add(name)
    (folder.path / "99").write_text("a file")
    assert find_versions(folder.path) == {
        version: folder.path / name
        for version, name in ((2, "2"), (9, "9"), (10, "000010"))
    }
    models = versions()
    assert models.name == "m"
    assert folder.loaded == ["000010"]
    assert models.states() == [VersionState(10, "AVAILABLE", "OK", "")]
    with models.use() as (version, model), models.use(10) as (same, again):
        assert version == same == 10 and model is again


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder.path.rmdir(), "Received: No such file or directory."),
        (
            lambda folder: (folder.path.rmdir(), folder.path.write_text("")),
            "Received: Not a directory.",
        ),
        (lambda folder: folder.add("best"), "Received: no folder whose name is a"),
        (
            lambda folder: (folder.path / "saved_model.pb").touch(),
            "Received: a SavedModel itself",
        ),
        (
            lambda folder: (folder.add(1, "corrupt"), folder.add(2, "corrupt")),
            "Expected a version that loads. Received: version 2: DATA_LOSS, 2 is "
            "corrupt; version 1: DATA_LOSS, 1 is corrupt.",
        ),
    ],
    ids=["missing", "file", "empty", "saved model", "corrupt"],
)
def test_nothing_to_serve(folder, versions, make, message):
    make(folder)
    with pytest.raises(BadInput, match=f"^{re.escape(str(folder.path))}: ") as caught:
        versions()
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_version_that_is_not_served(folder, versions):
    folder.add(1)
    folder.add(2)
    models = versions()
    for version in (1, 9):
        with pytest.raises(ServingError) as caught, models.use(version):
            raise AssertionError("not reached")
        assert caught.value.code == "NOT_FOUND"
        expected = f"Servable not found for request: Specific(m, {version})"
        assert caught.value.message == expected


def test_new_versions_take_over(folder, versions, caplog):
    caplog.set_level(logging.INFO)
    folder.add(1)
    models = versions()
    with models.use() as (_, first):
        pass
    for version in (2, 3):
        folder.add(version)
        wait_for(lambda: served(models) == version)
    wait_for(lambda: states(models) == {3: "AVAILABLE", 2: "END", 1: "END"})
    assert [state.version for state in models.states()] == [3, 2, 1]
    assert first.closed == 1
    folder.add(0)  # an older version is ignored
    looks(models)
    assert folder.loaded == ["1", "2", "3"] and served(models) == 3
    for message in ("Loading version 2 of m", "Serving version 2 ", "Closed version 1"):
        assert message in caplog.text


def test_the_old_version_serves_while_the_new_one_loads(folder, versions):
    folder.add(1)
    models = versions()
    loading, go_on = threading.Event(), threading.Event()

    def slowly(path):
        loading.set()
        assert go_on.wait(10)
        return Model(path)

    folder.load = slowly
    folder.add(2)
    assert loading.wait(10)
    assert states(models) == {1: "AVAILABLE", 2: "LOADING"}
    with models.use() as (version, model):
        assert version == 1 and not model.closed
    go_on.set()
    wait_for(lambda: served(models) == 2)


def test_a_version_in_use_stays_open(folder, versions):
    folder.add(1)
    models = versions()
    with models.use() as (_, old), models.use():
        folder.add(2)
        wait_for(lambda: served(models) == 2)
        looks(models)
        assert states(models) == {2: "AVAILABLE", 1: "UNLOADING"}
        assert not old.closed
        with pytest.raises(ServingError, match=r"Specific\(m, 1\)"), models.use(1):
            raise AssertionError("not reached")
        # Version 1 returns while it is still being unloaded.
        folder.remove(2)
        wait_for(lambda: served(models) == 1)
        with models.use() as (_, again):
            assert again is not old
    wait_for(lambda: old.closed)
    looks(models)
    assert (old.closed, again.closed) == (1, 0)
    assert states(models) == {1: "AVAILABLE"}


def test_a_request_that_fails_leaves_too(folder, versions):
    folder.add(1)
    models = versions()
    with pytest.raises(KeyError), models.use() as (_, model):
        raise KeyError
    folder.add(2)
    wait_for(lambda: model.closed)


def test_a_corrupt_version_is_passed_over(folder, versions, caplog):
    folder.add(1)
    folder.add(3, "corrupt")
    models = versions()
    assert served(models) == 1
    folder.add(2)  # newer than 1, so it is served though it is not the newest
    wait_for(lambda: served(models) == 2)
    looks(models)
    broken = VersionState(3, "END", "DATA_LOSS", "3 is corrupt")
    assert models.states()[0] == broken
    assert folder.loaded == ["3", "1", "2"]  # tried once
    assert caplog.text.count("Version 3 of m does not load: DATA_LOSS, 3 is") == 1
    folder.remove(3)
    wait_for(lambda: 3 not in states(models))
    assert served(models) == 2


def test_an_error_that_nobody_expected(folder, versions):
    folder.add(1)
    models = versions()

    def fail(path):
        raise MemoryError("out of it")

    folder.load = fail
    folder.add(2)
    wait_for(lambda: models.states()[0].state == "END")
    assert models.states()[0].error_code == "UNKNOWN"
    assert "out of it" in models.states()[0].error_message
    assert served(models) == 1


def test_a_version_whose_files_change_is_tried_again(folder, versions):
    folder.add(1)
    models = versions()
    (folder.path / "2").mkdir()  # written in place, without a rename
    wait_for(lambda: states(models).get(2) == "END")
    looks(models)
    assert folder.loaded == ["1", "2"]
    file = folder.path / "2" / "saved_model.pb"
    file.write_text("corrupt")
    wait_for(lambda: models.states()[0].error_code == "DATA_LOSS")
    assert folder.loaded == ["1", "2", "2"] and served(models) == 1
    (folder.path / "2" / "variables").mkdir()
    file.write_text("good now")
    wait_for(lambda: served(models) == 2)
    with models.use() as (_, model):
        assert model.content == "good now"
    assert folder.loaded == ["1", "2", "2", "2"]


def test_changing_files_are_tried_again_only_once_they_rest(folder, versions):
    folder.add(1)
    models = versions()
    folder.add(2, "corrupt")
    wait_for(lambda: states(models).get(2) == "END")
    look, rest = models._look, threading.Event()

    def look_at_growing_files():
        if not rest.is_set():
            with open(folder.path / "2" / "saved_model.pb", "a") as file:
                file.write("more")
        look()

    models._look = look_at_growing_files
    looks(models, 10)
    assert folder.loaded == ["1", "2"]
    rest.set()
    wait_for(lambda: folder.loaded == ["1", "2", "2"])
