"""Time of each phase of training."""

import contextlib
import json
import logging
import time
from pathlib import Path

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digest, write_checked
from xmc_keras.progress import phase

logger = logging.getLogger(__name__)

REMEDY = "Restore the file, or remove it: it has only the time that training took"


class PhaseSeconds:
    """Adds up the seconds of named phases, in a file that survives interruptions.

    Args:
        path: optional string or path. JSON file; seconds already in it are added.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     phases = PhaseSeconds(Path(folder, "phases.json"))
    ...     with phases("search"):
    ...         pass
    ...     list(PhaseSeconds(Path(folder, "phases.json")).seconds)
    ['search']
    """

    def __init__(self, path=None):
        self.path = path and Path(path)
        self.seconds = {}
        if self.path is not None and self.path.exists():
            try:
                self.seconds = json.loads(self.path.read_text())
            except (OSError, ValueError) as error:
                raise BadInput(
                    f"Expected the seconds of phases. Received: {error}.",
                    self.path,
                    remedy=f"{REMEDY}.",
                ) from None
            check_digest(self.path, REMEDY)

    @contextlib.contextmanager
    def __call__(self, name):
        """Times a `with` block."""
        begun = time.monotonic()
        with phase(name.capitalize()):
            yield
        self.add(name, time.monotonic() - begun)

    def add(self, name, seconds):
        """Adds seconds measured elsewhere."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        logger.info("%s: %.1f s", name.capitalize(), seconds)
        if self.path is not None and self.path.parent.exists():
            with write_checked(self.path) as file:
                file.write(json.dumps(self.seconds).encode())

    def remove(self):
        """Deletes the file, once the run is finished."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
