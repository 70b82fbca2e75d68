"""The version folders of a model."""

import re
from pathlib import Path


def find_versions(folder):
    """Finds the folders that TensorFlow Serving takes for versions.

    Those are the children whose name is a number that fits into an int64 (`1`,
    `000123`); of two with the same number the last in the order of names counts.

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
