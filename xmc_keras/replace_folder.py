"""A folder put in place of another."""

import os
import shutil


def replace_folder(new, path):
    """Renames the folder `new` to `path`, in place of what is there.

    A folder cannot be renamed over another: the one that is there steps aside to
    `<path>.old` and is then deleted. A program that is killed in between leaves one
    of the two whole, there or aside.

    Args:
        new: path. A folder on the same file system.
        path: path. A folder, or nothing.

    Example:

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     new, path = Path(folder, "new"), Path(folder, "run")
    ...     new.mkdir(), path.mkdir(), (new / "file").touch()
    ...     replace_folder(new, path)
    ...     [found.name for found in Path(folder).rglob("*")]
    (None, None, None)
    ['run', 'file']
    """
    old = path.with_name(f"{path.name}.old")
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(path, old)
    os.replace(new, path)
    shutil.rmtree(old, ignore_errors=True)
