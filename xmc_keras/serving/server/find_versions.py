"""Version folders of a model."""

import re
from pathlib import Path

from xmc_keras.files.bad_input import BadInput


def find_versions(folder):
    """Finds the folders that TensorFlow Serving treats as versions.

    These are the subfolders whose name is a number that fits in an int64 (`1`,
    `000123`). If two have the same number, the last one in the order of names counts.

    Args:
        folder: string or path.

    Returns:
        Dictionary of version number to path.

    Raises:
        OSError: the folder cannot be read.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("1", "000123", ".tmp-124", "notes"):
    ...         Path(folder, name).mkdir()
    ...     found = find_versions(folder)
    ...     {version: found[version].name for version in sorted(found)}
    {1: '1', 123: '000123'}
    """
    found = {}
    for path in sorted(Path(folder).iterdir()):
        if re.fullmatch("[0-9]+", path.name) and path.is_dir():
            if int(path.name) < 2**63:
                found[int(path.name)] = path
    return found


def check_versions(folder):
    """Raises `BadInput` if a folder has no versions.

    Args:
        folder: string or path.

    Example:

    >>> check_versions("exports/missing")
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: exports/missing: Expected a folder with the ...
    """
    received = "no folder whose name is a number"
    if Path(folder, "saved_model.pb").exists():
        received = "a SavedModel itself (give the folder that contains it)"
    try:
        if find_versions(folder):
            return
    except OSError as error:
        received = error.strerror
    raise BadInput(
        "Expected a folder with the versions of a SavedModel in subfolders 1, 2, ... "
        f"Received: {received}.",
        folder,
    )
