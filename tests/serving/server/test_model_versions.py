import logging
import re
import shutil
import threading
import time

import pytest

from xmc_keras.bad_input import BadInput
from xmc_keras.serving.server.find_versions import find_versions
from xmc_keras.serving.server.model_versions import ModelVersions
from xmc_keras.serving.server.serving_error import ServingError
from xmc_keras.serving.server.version_state import VersionState


class Model:
    """Stands in for a `ServedModel`; its file says whether it loads."""

    def __init__(self, path):
        self.content = (path / "saved_model.pb").read_text()
        if "corrupt" in self.content:
            raise ServingError("DATA_LOSS", f"{path.name} is corrupt")
        self.closed = 0

    def close(self):
        self.closed += 1


class Folder:
    """The folder of a model; versions are added by renaming, as in the export."""

    def __init__(self, path):
        self.path = path
        self.loaded = []  # names, in the order of loading
        self.load = Model

    def add(self, name, content="good"):
        new = self.path / f".tmp-{name}"
        new.mkdir()
        (new / "saved_model.pb").write_text(content)
        new.rename(self.path / str(name))

    def remove(self, name):
        shutil.rmtree(self.path / str(name))

    def loader(self, path):
        self.loaded.append(path.name)
        return self.load(path)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    return Folder(path)


@pytest.fixture
def versions(folder):
    """Starts `ModelVersions` on the folder; stops them at the end."""
    started = []

    def start():
        versions = ModelVersions("m", folder.path, 0.01, folder.loader)
        versions.start()
        started.append(versions)
        return versions

    yield start
    for versions in started:
        versions.stop(0)


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.005)


def served(versions):
    with versions.use() as (version, _):
        return version


def states(versions):
    return {state.version: state.state for state in versions.states()}


def looks(versions, count=5):
    """Waits until the folder has been polled a few more times."""
    seen, look = [], versions._look

    def counted():
        seen.append(1)
        look()

    versions._look = counted
    wait_for(lambda: len(seen) >= count)
    versions._look = look


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


def test_versions_that_are_deleted(folder, versions, caplog):
    for version in (1, 2, 3):
        folder.add(version)
    models = versions()
    folder.remove(3)
    wait_for(lambda: served(models) == 2)
    wait_for(lambda: states(models) == {2: "AVAILABLE"})
    folder.remove(1)
    folder.remove(2)
    looks(models)
    assert served(models) == 2
    assert caplog.text.count(f"No versions of m in {folder.path}; the loaded") == 1
    folder.path.rmdir()
    looks(models)
    assert served(models) == 2
    assert caplog.text.count("No such file or directory") == 1
    folder.path.mkdir()
    folder.add(1)
    wait_for(lambda: served(models) == 1)


def test_watching_survives_an_error(folder, versions, monkeypatch, caplog):
    folder.add(1)
    models = versions()
    with monkeypatch.context() as patch:
        patch.setattr(models, "_find", lambda: 1 / 0)
        wait_for(lambda: "Looking for versions of m failed" in caplog.text)
    folder.add(2)
    wait_for(lambda: served(models) == 2)


def test_stop(folder, versions):
    folder.add(1)
    models = versions()
    with models.use() as (_, model):
        assert not models.stop(0.05)
        assert not model.closed
        with pytest.raises(ServingError, match=r"Latest\(m\)"), models.use():
            raise AssertionError("not reached")
    assert models.stop() and models.stop()
    assert model.closed == 1
    assert states(models) == {1: "END"}
    folder.add(2)
    time.sleep(0.05)
    assert folder.loaded == ["1"]


def test_stop_while_a_version_is_being_loaded(folder, versions):
    folder.add(1)
    models = versions()
    loading, go_on, loaded = threading.Event(), threading.Event(), []

    def slowly(path):
        loading.set()
        assert go_on.wait(10)
        loaded.append(Model(path))
        return loaded[0]

    folder.load = slowly
    folder.add(2)
    assert loading.wait(10)
    assert models.stop()  # does not wait for a version that nobody uses
    assert states(models) == {1: "END", 2: "LOADING"}
    go_on.set()
    wait_for(lambda: states(models) == {1: "END", 2: "END"})
    assert loaded[0].closed == 1
    with pytest.raises(ServingError, match=r"Latest\(m\)"), models.use():
        raise AssertionError("not reached")


def test_nothing_is_closed_under_a_request(folder, versions):
    folder.add(1)
    models = versions()
    wrong, seen, done = [], set(), threading.Event()

    def ask():
        last = 0
        while not done.is_set():
            with models.use() as (version, model):
                seen.add(version)
                time.sleep(0.001)
                if model.closed or version < last:
                    wrong.append(version)
                last = version

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for version in range(2, 22):
        folder.add(version, "corrupt" if version % 5 == 0 else "good")
        time.sleep(0.03)
    wait_for(lambda: served(models) == 21)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong and len(seen) > 3
    wait_for(lambda: set(states(models).values()) == {"END", "AVAILABLE"})
    assert [x.version for x in models.states() if x.error_code != "OK"] == [
        20,
        15,
        10,
        5,
    ]
