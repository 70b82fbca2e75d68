"""Files and folders that are whole or not there."""

import contextlib
import gzip
import os
import shutil
import tempfile
from pathlib import Path

from xmc_keras.bad_input import BadInput


@contextlib.contextmanager
def atomic_write(path):
    """Opens a file of bytes beside `path`, and renames it if nothing went wrong.

    Args:
        path: string or path. Compressed where it ends in `.gz`.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "texts.txt.gz")
    ...     with atomic_write(path) as file:
    ...         _ = file.write(b"sea")
    ...     gzip.decompress(path.read_bytes())
    b'sea'
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(part, "wb"))
            if path.suffix == ".gz":
                # Without name and time, so that the same lines give the same bytes.
                file = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


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
