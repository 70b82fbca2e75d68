import threading
import time

import pytest

from tests.helpers.version_folder import Model, looks, served, states, wait_for
from xmc_keras.serving.server.serving_error import ServingError


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
