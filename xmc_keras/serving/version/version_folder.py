"""Adding a version to a folder that a server may be watching."""

import contextlib
import errno
import os
import shutil
import uuid
from pathlib import Path

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.describe_folder import EXPORT, OTHER, describe_folder
from xmc_keras.files.path_lock import PathLock, remove_left
from xmc_keras.serving.server.find_versions import find_versions


def choose_version(folder, version=None):
    """Chooses the number of a new version.

    Args:
        folder: string or path. The base folder of a model, which need not exist.
        version: optional int. The desired number. Defaults to one more than the highest
            existing one.

    Raises:
        BadInput: the version exists, the number is not positive, or the folder holds
            something else or cannot be read.
    """
    folder = Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise BadInput("Expected a folder for versions. Received: a file.", folder)
        held = describe_folder(folder)
        if held not in (None, EXPORT) or (folder / "saved_model.pb").exists():
            others = {EXPORT: "a version itself", OTHER: "a folder with other files"}
            received = others.get(held, f"the folder of {held}")
            raise BadInput(
                f"Expected a folder for the versions of a model. Received: {received}.",
                folder,
                remedy="Give an empty or new folder, or one with versions, as "
                "`folder`.",
            )
        numbers = find_versions(folder) if folder.exists() else {}
    except OSError as error:
        raise _unwritable_error(folder, error) from None
    if version is None:
        return max(numbers, default=0) + 1
    if not 0 < version < 2**63:
        raise BadInput(f"Expected a positive version. Received: {version}.")
    if version in numbers:
        raise BadInput(
            f"Expected a version that does not exist. Received: {version}.",
            folder,
            remedy="Leave out `version` to get the next number; a version is never "
            "replaced, because a server may be using it.",
        )
    return version


@contextlib.contextmanager
def reserve_version(folder, version=None):
    """Yields the number of a new version, which no other export takes meanwhile.

    Two exports to one folder get two numbers. What killed exports have left behind in
    the folder is deleted.

    Args:
        folder, version: see `choose_version`.

    Raises:
        BadInput: see `choose_version`, or another export writes this version.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with reserve_version(folder) as one, reserve_version(folder) as other:
    ...         one, other
    (1, 2)
    """
    folder, number = Path(folder), choose_version(folder, version)
    _remove_left(folder)
    while True:
        lock = PathLock(folder / str(number), "for a version", "folder")
        if version is not None:
            lock.acquire()
        elif not lock.try_acquire():
            number += 1
            continue
        try:
            # Again, because another export may have ended before the lock was taken.
            if version is None and number in find_versions(folder):
                number += 1
                continue
            choose_version(folder, number)
            yield number
            return
        finally:
            lock.release()


def _remove_left(folder):
    """Deletes what killed exports have left behind, whatever their numbers."""
    left = {}
    for path in folder.glob(".tmp-[0-9]*-*"):
        left.setdefault(path.name.split("-")[1], []).append(path)
    for path in folder.glob(".[0-9]*.lock"):
        left.setdefault(path.name.split(".")[1], [])
    for number, paths in left.items():
        remove_left(folder / number, paths)


@contextlib.contextmanager
def new_version(folder, version):
    """Yields a folder to write a version into; moves it into place on success.

    The folder is hidden, so that a server ignores it. It is next to the other versions,
    synced to disk and then renamed, so that a version exists completely or not at all.
    After an error nothing is left behind.

    Args:
        folder: string or path. The base folder of a model, created if missing.
        version: int, from `choose_version`.

    Raises:
        BadInput: the folder cannot be written, or the version was created meanwhile.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with new_version(folder, 1) as path:
    ...         (path / "saved_model.pb").touch()
    ...     [found.name for found in sorted(Path(folder).rglob("*"))]
    ['1', 'saved_model.pb']
    """
    folder = Path(folder)
    # A name that no other export uses, on any machine.
    path = folder / f".tmp-{version}-{uuid.uuid4().hex}"
    missing = []
    try:
        missing = [
            parent for parent in (folder, *folder.parents) if not parent.exists()
        ]
        path.mkdir(parents=True)
    except OSError as error:
        _remove(missing)
        raise _unwritable_error(folder, error) from None
    try:
        yield path
        try:
            for part in [*path.rglob("*"), path]:
                _sync(part)
            os.rename(path, folder / str(version))
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise _exists_error(folder, version) from None
            raise _unwritable_error(folder, error) from None
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        _remove(missing)
        raise
    # The version is complete; if this fails, its name reaches the disk later.
    with contextlib.suppress(OSError):
        _sync(folder)


def _remove(folders):
    with contextlib.suppress(OSError):  # another export has added something
        for folder in folders:
            folder.rmdir()


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a network folder that cannot be synced
            raise
    finally:
        os.close(descriptor)


def _exists_error(folder, version):
    return BadInput(
        f"Expected version {version} not to exist. Received: one that another export "
        "created meanwhile. Export again.",
        folder,
    )


def _unwritable_error(folder, error):
    return BadInput(
        f"Expected a folder to write a version into. Received: {error.strerror}. Free "
        "disk space or choose another folder.",
        folder,
    )
