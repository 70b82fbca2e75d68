"""A new version beside the ones that a server already watches."""

import contextlib
import errno
import os
import shutil
import uuid
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.serving.server.find_versions import find_versions


def choose_version(folder, version=None):
    """The number of a version that is not there yet.

    Args:
        folder: string or path. The base folder of a model, which need not exist.
        version: optional int. The number wanted; by default one more than the
            highest that is there.

    Raises:
        BadInput: the version is there, or the number is not positive.
    """
    folder = Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise BadInput("Expected a folder for versions. Received: a file.", folder)
        numbers = find_versions(folder) if folder.exists() else {}
    except OSError as error:
        raise _unwritable(folder, error) from None
    if version is None:
        return max(numbers, default=0) + 1
    if not 0 < version < 2**63:
        raise BadInput(f"Expected --version to be positive. Received: {version}.")
    if version in numbers:
        raise BadInput(
            f"Expected a version that is not there. Received: {version}. Leave "
            "--version out to get the next number; a version is never replaced, "
            "because a server may hold it.",
            folder,
        )
    return version


@contextlib.contextmanager
def new_version(folder, version):
    """Yields a folder to write a version into; puts it in its place if all went well.

    The folder is a hidden one beside the versions, so that a server takes no notice
    of it, and is synced to disk and then renamed: a version is there whole or not at
    all. After any error nothing is left behind.

    Args:
        folder: string or path. The base folder of a model, made where missing.
        version: int, as from `choose_version`.

    Raises:
        BadInput: the folder cannot be written, or the version appeared meanwhile.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with new_version(folder, 1) as path:
    ...         (path / "saved_model.pb").touch()
    ...     [found.name for found in sorted(Path(folder).rglob("*"))]
    ['1', 'saved_model.pb']
    """
    folder = Path(folder)
    # A name that no other export has, on whatever machine.
    path = folder / f".tmp-{version}-{uuid.uuid4().hex}"
    made = []
    try:
        made = [above for above in (folder, *folder.parents) if not above.exists()]
        path.mkdir(parents=True)
    except OSError as error:
        _remove(made)
        raise _unwritable(folder, error) from None
    try:
        yield path
        try:
            for part in [*path.rglob("*"), path]:
                _sync(part)
            os.rename(path, folder / str(version))
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise _there_meanwhile(folder, version) from None
            raise _unwritable(folder, error) from None
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        _remove(made)
        raise
    # The version is there; the disk may only learn of its name a little later.
    with contextlib.suppress(OSError):
        _sync(folder)


def _remove(folders):
    with contextlib.suppress(OSError):  # another export has put something there
        for folder in folders:
            folder.rmdir()


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a network's folder that cannot be synced
            raise
    finally:
        os.close(descriptor)


def _there_meanwhile(folder, version):
    return BadInput(
        f"Expected version {version} not to be there. Received: one that another "
        "export put there meanwhile. Export again.",
        folder,
    )


def _unwritable(folder, error):
    return BadInput(
        f"Expected a folder to write a version into. Received: {error.strerror}. Free "
        "disk space or choose another folder.",
        folder,
    )
