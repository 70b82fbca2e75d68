"""The versions of a model in a folder, the newest of which is served."""

import contextlib
import dataclasses
import logging
import os
import threading
import time
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.serving.server.find_versions import find_versions
from xmc_keras.serving.server.load_version import load_version
from xmc_keras.serving.server.serving_error import ServingError
from xmc_keras.serving.server.version_state import VersionState

logger = logging.getLogger(__name__)


class ModelVersions:
    """Serves the newest version in a folder that loads, and follows new ones.

    Version folders are those whose name is a number (`1`, `000123`). A thread looks
    at the folder. It loads a new version while the one before goes on serving, puts
    it in place, and closes the one before once its last user has left. A version that
    cannot be loaded is reported, passed over, and tried again only when its files
    have changed and then rested for a look. If the folder of the version that is
    served goes away, the newest that is left takes its place; if none is left, what
    is loaded stays.

    Args:
        name: string. The model's name, for clients.
        folder: string or path. It has the version folders.
        poll_seconds: float. Time between two looks at the folder. Defaults to `1.0`.
        load: function of the path of a version folder to `ServedModel`. Defaults to
            `load_version`.
    """

    def __init__(self, name, folder, poll_seconds=1.0, load=load_version):
        self.name = name
        self.folder = Path(folder)
        self.poll_seconds = poll_seconds
        self._load = load
        self._lock = threading.Lock()  # for the three that follow
        self._served = None
        self._leaving = []  # no longer served, perhaps still in use
        self._states = {}  # version -> VersionState
        self._failed = {}  # version -> its files when it was tried, and when last seen
        self._said = None  # the last complaint about the folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self):
        """Loads the newest version that loads, and begins to watch the folder.

        Raises:
            BadInput: there is no such folder, no version in it, or none loads.
        """
        received = "no folder with a number for a name"
        if os.path.exists(self.folder / "saved_model.pb"):
            received = "a SavedModel itself (name the folder that it is in)"
        try:
            found = find_versions(self.folder)
        except OSError as error:
            found, received = None, error.strerror
        if not found:
            raise BadInput(
                "Expected a folder with versions of a SavedModel in it, in folders "
                f"1, 2, ... Received: {received}.",
                self.folder,
            )
        self._look()
        if self._served is None:
            reasons = "; ".join(
                f"version {x.version}: {x.error_code}, {x.error_message}"
                for x in self.states()
            )
            reasons = " ".join(reasons.split())  # TensorFlow's may be of many lines
            raise BadInput(
                f"Expected a version that loads. Received: {reasons}.", self.folder
            )
        self._thread.start()

    def stop(self, timeout=10.0):
        """Ends the watching, and closes the model once nobody uses it.

        A version that is just being loaded is closed when it is loaded.

        Args:
            timeout: float. Seconds to wait for users. Defaults to `10.0`.

        Returns:
            Whether all users have left.
        """
        deadline = time.monotonic() + timeout
        self._stopping.set()
        with self._lock:
            self._replace_served(None)
        self._close_unused()
        while self._leaving and time.monotonic() < deadline:
            time.sleep(0.01)
            self._close_unused()
        if self._thread.is_alive():
            self._thread.join(1.0)
        return not self._leaving

    @contextlib.contextmanager
    def use(self, version=None):
        """Gives `(version, ServedModel)`, which stays open until the block is left.

        Args:
            version: optional integer. Only this one will do. Defaults to the one
                that is served.

        Raises:
            ServingError: NOT_FOUND, it is not served.
        """
        with self._lock:
            served = self._served
            if served is None or version not in (None, served.version):
                wanted = f"Latest({self.name})"
                if version is not None:
                    wanted = f"Specific({self.name}, {version})"
                raise ServingError(
                    "NOT_FOUND", f"Servable not found for request: {wanted}"
                )
            served.users += 1
        try:
            yield served.version, served.model
        finally:
            with self._lock:
                served.users -= 1

    def states(self):
        """A `VersionState` of each version that was tried, newest first."""
        with self._lock:
            return [self._states[version] for version in sorted(self._states)[::-1]]

    def _watch(self):
        while not self._stopping.wait(self.poll_seconds):
            try:
                self._look()
            except Exception:  # whatever it is, the served version goes on
                logger.exception("Looking for versions of %s failed", self.name)
        self._close_unused()

    def _look(self):
        self._close_unused()
        found = self._found()
        if not found:
            return
        self._forget_all_but(found)
        for version, path in sorted(found.items(), reverse=True):
            served = self._served  # `stop` may take it away meanwhile
            if self._stopping.is_set() or (served and version == served.version):
                return
            if self._is_worth_trying(version, path) and self._try(version, path):
                return

    def _found(self):
        found, said = {}, f"No versions of {self.name} in {self.folder}"
        try:
            found = find_versions(self.folder)
        except OSError as error:
            said = str(error)
        said = None if found else said
        if said and said != self._said:
            logger.warning("%s; what is loaded stays", said)
        self._said = said
        return found

    def _forget_all_but(self, found):
        with self._lock:
            for version in set(self._states) - set(found):
                if self._states[version].state == "END":
                    del self._states[version]
        for version in set(self._failed) - set(found):
            del self._failed[version]

    def _is_worth_trying(self, version, path):
        if version not in self._failed:
            return True
        tried, seen = self._failed[version]
        files = _files(path)
        self._failed[version] = tried, files
        # Files that have just changed may still be on their way.
        return files != tried and files == seen

    def _try(self, version, path):
        files = _files(path)
        self._set_state(version, "LOADING")
        logger.info("Loading version %d of %s from %s", version, self.name, path)
        began = time.monotonic()
        try:
            model = self._load(path)
        except Exception as error:
            code = error.code if isinstance(error, ServingError) else "UNKNOWN"
            self._failed[version] = files, files
            self._set_state(version, "END", code, str(error))
            said = f"Version {version} of {self.name} does not load: {code}, {error}"
            logger.warning("%s", said)
            return False
        self._failed.pop(version, None)
        with self._lock:
            self._states[version] = VersionState(version, "AVAILABLE")
            self._replace_served(_Served(version, model))
            if self._stopping.is_set():
                self._replace_served(None)
        seconds = time.monotonic() - began
        logger.info("Serving version %d of %s (%.1f s)", version, self.name, seconds)
        return True

    def _replace_served(self, served):
        """Puts another version in place. The lock is held."""
        before, self._served = self._served, served
        if before is not None:
            self._leaving.append(before)
            self._states[before.version] = VersionState(before.version, "UNLOADING")

    def _close_unused(self):
        with self._lock:
            unused = [served for served in self._leaving if not served.users]
            self._leaving = [served for served in self._leaving if served.users]
            again = self._served and self._served.version
        for served in unused:
            served.model.close()
            if served.version != again:
                self._set_state(served.version, "END")
            logger.info("Closed version %d of %s", served.version, self.name)

    def _set_state(self, *state):
        with self._lock:
            self._states[state[0]] = VersionState(*state)


@dataclasses.dataclass(eq=False)
class _Served:
    version: int
    model: object
    users: int = 0


def _files(folder):
    """Names, sizes and times of the files in a folder, to compare."""
    found = []
    for path in (Path(at, name) for at, _, names in os.walk(folder) for name in names):
        with contextlib.suppress(OSError):  # gone by now
            status = path.stat()
            found.append((str(path), status.st_size, status.st_mtime_ns))
    return sorted(found)
