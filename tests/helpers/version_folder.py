"""A folder of versions that stand in for SavedModels."""

import shutil
import time

from xmc_keras.serving.server.serving_error import ServingError


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
