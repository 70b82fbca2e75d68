"""Versions of a model in a folder, of which the newest is served."""

import contextlib
import dataclasses
import logging
import os
import threading
import time
from pathlib import Path

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.find_versions import check_versions, find_versions
from xmc_keras.serving.server.load_version import load_version
from xmc_keras.serving.server.serving_error import ServingError
from xmc_keras.serving.server.version_state import VersionState

logger = logging.getLogger(__name__)


class ModelVersions:
    """Serves the newest version in a folder that loads, and follows new ones.

    Version folders are those whose name is a number (`1`, `000123`). A thread polls
    the folder. It loads a new version while the previous one keeps serving, switches
    to the new one, and closes the previous one once its last user has left. A version
    that cannot be loaded is reported and skipped. It is tried again only after its
    files have changed and then stayed the same for one poll. If the folder of the
    served version disappears, the newest remaining version is served; if none
    remains, the loaded version stays.

    Args:
        name: string. The model's name, for clients.
        folder: string or path. Folder of the version folders.
        poll_seconds: float. Time between two polls of the folder. Defaults to `1.0`.
        load: function from the path of a version folder to a `ServedModel`. Defaults
            to `load_version`.
    """

    def __init__(self, name, folder, poll_seconds=1.0, load=load_version):
        self.name = name
        self.folder = Path(folder)
        self.poll_seconds = poll_seconds
        self._load = load
        self._lock = threading.Lock()  # guards the next three attributes
        self._served = None
        self._leaving = []  # no longer served, possibly still in use
        self._states = {}  # version -> VersionState
        self._failed = {}  # version -> its files when last tried, and when last seen
        self._warning = None  # the last one about the folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self):
        """Loads the newest version that loads, and starts to watch the folder.

        Raises:
            BadInput: the folder does not exist, has no versions, or none of them loads.
        """
        check_versions(self.folder)
        self._look()
        if self._served is None:
            reasons = "; ".join(
                f"version {x.version}: {x.error_code}, {x.error_message}"
                for x in self.states()
            )
            reasons = " ".join(reasons.split())  # TensorFlow's may span several lines
            raise BadInput(
                f"Expected a version that loads. Received: {reasons}.",
                self.folder,
                remedy="Export it again, or restore its files.",
            )
        self._thread.start()

    def stop(self, timeout=10.0):
        """Stops watching, and closes the model once nobody uses it.

        A version that is still loading is closed after it has loaded.

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
        """Yields `(version, ServedModel)`, which stays open until the block exits.

        Args:
            version: optional integer. The required version. Defaults to the served
                one.

        Raises:
            ServingError: NOT_FOUND if this version is not served.
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
            except Exception:  # keeps the served version running
                logger.exception("Looking for versions of %s failed", self.name)
        self._close_unused()

    def _look(self):
        self._close_unused()
        found = self._find()
        if not found:
            return
        self._forget_all_but(found)
        for version, path in sorted(found.items(), reverse=True):
            served = self._served  # `stop` may clear it concurrently
            if self._stopping.is_set() or (served and version == served.version):
                return
            if self._is_worth_trying(version, path) and self._try(version, path):
                return

    def _find(self):
        found, warning = {}, f"No versions of {self.name} in {self.folder}"
        try:
            found = find_versions(self.folder)
        except OSError as error:
            warning = str(error)
        warning = None if found else warning
        if warning and warning != self._warning:
            logger.warning("%s; the loaded version stays", warning)
        self._warning = warning
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
        # Files that have just changed may still be being copied.
        return files != tried and files == seen

    def _try(self, version, path):
        files = _files(path)
        self._set_state(version, "LOADING")
        logger.info("Loading version %d of %s from %s", version, self.name, path)
        start = time.monotonic()
        try:
            model = self._load(path)
        except Exception as error:
            code = error.code if isinstance(error, ServingError) else "UNKNOWN"
            self._failed[version] = files, files
            self._set_state(version, "END", code, str(error))
            message = f"Version {version} of {self.name} does not load: {code}, {error}"
            logger.warning("%s", message)
            return False
        self._failed.pop(version, None)
        with self._lock:
            self._states[version] = VersionState(version, "AVAILABLE")
            self._replace_served(_Served(version, model))
            if self._stopping.is_set():
                self._replace_served(None)
        seconds = time.monotonic() - start
        logger.info("Serving version %d of %s (%.1f s)", version, self.name, seconds)
        return True

    def _replace_served(self, served):
        """Switches to another version. The caller holds the lock."""
        previous, self._served = self._served, served
        if previous is not None:
            self._leaving.append(previous)
            self._states[previous.version] = VersionState(previous.version, "UNLOADING")

    def _close_unused(self):
        with self._lock:
            unused = [served for served in self._leaving if not served.users]
            self._leaving = [served for served in self._leaving if served.users]
            current = self._served and self._served.version
        for served in unused:
            served.model.close()
            if served.version != current:
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
    """Names, sizes and times of the files in a folder, for comparison."""
    found = []
    for path in (Path(at, name) for at, _, names in os.walk(folder) for name in names):
        with contextlib.suppress(OSError):  # deleted in the meantime
            status = path.stat()
            found.append((str(path), status.st_size, status.st_mtime_ns))
    return sorted(found)
