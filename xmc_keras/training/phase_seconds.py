"""The time that each phase of a run takes."""

import contextlib
import json
import logging
import time
from pathlib import Path

from xmc_keras.files.atomic_files import atomic_write

logger = logging.getLogger("fit")


class PhaseSeconds:
    """Adds up the seconds of named phases, in a file beside a run that goes on.

    Args:
        path: string or path. JSON file; what it holds already counts.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     phases = PhaseSeconds(Path(folder, "phases.json"))
    ...     with phases("search"):
    ...         pass
    ...     list(PhaseSeconds(Path(folder, "phases.json")).seconds)
    ['search']
    """

    def __init__(self, path):
        self.path = Path(path)
        self.seconds = {}
        if self.path.exists():
            self.seconds = json.loads(self.path.read_text())

    @contextlib.contextmanager
    def __call__(self, name):
        """Times what is done within."""
        begun = time.monotonic()
        yield
        self.add(name, time.monotonic() - begun)

    def add(self, name, seconds):
        """Counts what was timed elsewhere."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        logger.info("%s: %.1f s", name.capitalize(), seconds)
        if self.path.parent.exists():
            with atomic_write(self.path) as file:
                file.write(json.dumps(self.seconds).encode())

    def remove(self):
        """Deletes the file of a run that is finished."""
        self.path.unlink(missing_ok=True)
