"""Atomic writing of files and folders: complete, or not there at all."""

import contextlib
import errno
import gzip
import os
import shutil
import tempfile
from pathlib import Path

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import DiskError, find_disk_error


@contextlib.contextmanager
def atomic_write(path, before_rename=None):
    """Context manager that writes a binary file atomically.

    The bytes go to `<path>.part`, which is renamed to `path` at the end. After an
    exception it is deleted and `path` is unchanged.

    Args:
        path: string or path. The file is compressed if this ends in `.gz`.
        before_rename: optional callable. Called with the path of the complete part.

    Raises:
        DiskError: the file cannot be written.

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
                # No name and no time in the header: equal content, equal bytes.
                file = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
            yield file
        if before_rename is not None:
            before_rename(part)
        os.replace(part, path)
    except OSError as error:
        # An error of writing has no name; others are of files that the block reads.
        own = error.filename in (part, str(part))
        found = error if own else find_disk_error(error)
        if found is None or not (own or error.filename is None):
            raise
        raise DiskError.of(found, path) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def replace_folder(new, path):
    """Renames the folder `new` to `path`, replacing the folder that is there.

    A folder cannot be renamed over another, so the old one is first renamed to
    `<path>.old` and deleted at the end. If the program is killed in between, one of
    the two is complete, at `path` or at `<path>.old`.

    Args:
        new: path. A folder on the same file system as `path`.
        path: path. An existing folder, or nothing.

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


def check_writable(path, purpose, argument):
    """Raises `BadInput` if `path` cannot be written.

    Args:
        path: string or path. The folders above it need not exist.
        purpose: string. What the path is for, such as `"for a run"`.
        argument: string. The argument that sets another path.

    Example:

    >>> check_writable("setup.py/a", "for a run", "run")
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: setup.py/a: Expected a place for a run. ...
    """
    try:
        above = resolve_place(path).parents
        Path(path).exists()  # raises if the name is too long
        # Asking for permissions says yes to root even where writing fails. The file has
        # no name where the system can do that, so a killed program leaves nothing.
        with tempfile.TemporaryFile(dir=next(p for p in above if p.exists())):
            pass
    except OSError as error:
        raise place_error(path, purpose, argument, error) from None


def resolve_place(path):
    """The path without links and `..`, if something can be written there.

    The kernel looks each folder up before it goes back by a `..`, and `Path.resolve`
    does not.

    Raises:
        OSError: the path is `.`, ends in `..` or is the root of the file system, which
            cannot be replaced, or a folder before a `..` is missing.

    Example:

    >>> resolve_place("docs/../runs/") == Path("runs").resolve()
    True
    >>> resolve_place("no such folder/../runs")
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] No such file or directory: 'no such folder'
    """
    path = Path(path)
    if path.name in ("", ".."):
        raise OSError(errno.EBUSY, "A folder without a name of its own")
    for place, part in enumerate(path.parts):
        if part == "..":
            os.stat(Path(*path.parts[:place]))
    return Path(os.path.realpath(path))


def place_error(path, purpose, argument, error):
    """The `BadInput` of a path that an `OSError` keeps from being written."""
    return BadInput(
        f"Expected a place {purpose}. Received: {error.strerror}.",
        path,
        remedy=f"Choose another `{argument}`.",
    )
