"""A new version beside the ones that a server already watches."""

import contextlib
import os
import shutil
from pathlib import Path

from xmc_keras.bad_input import BadInput


def next_version(folder, version=None):
    """The number of a version that is not there yet.

    Args:
        folder: string or path. The base folder of a model, which need not exist.
        version: optional int. The number wanted; by default one more than the
            highest that is there.

    Raises:
        BadInput: the version is there, or the number is not positive.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise BadInput("Expected a folder for versions. Received: a file.", folder)
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    numbers = {int(name) for name in names if name.isascii() and name.isdigit()}
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
        version: int, as from `next_version`.

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
    made = [above for above in (folder, *folder.parents) if not above.exists()]
    path = folder / f".tmp-{version}-{os.getpid()}"
    try:
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise _unwritable(folder, error) from None
        yield path
        try:
            for part in [*path.rglob("*"), path]:
                _sync(part)
            os.rename(path, folder / str(version))
            _sync(folder)
        except FileExistsError:
            raise _there_meanwhile(folder, version) from None
        except OSError as error:
            if (folder / str(version)).exists():
                raise _there_meanwhile(folder, version) from None
            raise _unwritable(folder, error) from None
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):  # another export has put something there
            for above in made:
                above.rmdir()
        raise


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
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
