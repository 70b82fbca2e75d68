"""Whether a file or folder can be made somewhere, asked before the work."""

import tempfile
from pathlib import Path

from xmc_keras.bad_input import BadInput


def check_writable(path, purpose, option):
    """Raises BadInput if nothing can be written where `path` would be.

    Args:
        path: string or path. The folders above it need not be there.
        purpose: string, what the place is wanted for, as `"for a run"`.
        option: string, the argument that names another place.

    Example:

    >>> check_writable("setup.py/a", "for a run", "--run")
    Traceback (most recent call last):
    xmc_keras.bad_input.BadInput: setup.py/a: Expected a place for a run. Received: ...
    """
    above = Path(path).resolve().parents
    try:
        Path(path).exists()  # it raises for a name that is too long
        # Made and removed again: root passes any question about permissions.
        with tempfile.TemporaryDirectory(dir=next(p for p in above if p.exists())):
            pass
    except OSError as error:
        raise BadInput(
            f"Expected a place {purpose}. Received: {error.strerror}. Choose another "
            f"with {option}.",
            path,
        ) from None
