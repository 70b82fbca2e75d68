"""The lock of a file or folder that a program writes."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import shlex
import shutil
import socket
import sys
import threading
import time
import weakref
from pathlib import Path

from xmc_keras.files.atomic_files import check_writable, place_error, resolve_place
from xmc_keras.files.bad_input import BadInput

logger = logging.getLogger(__name__)

BUSY = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES)
UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
LONGEST = 200  # characters of a command that are noted

_held = weakref.WeakSet()


class PathLock:
    """Lock of a file or folder that a program writes: one program at a time.

    The lock is the `flock` of a file next to the path, `.<name>.lock`, so it stays
    where it is while the path is replaced. The kernel frees it when the process ends,
    by SIGKILL too. What the file says about its holder (host, process, since when,
    command) is for the error message alone, so that a process id used again, or one of
    another container, keeps nobody out. The file is deleted at the end; one that a
    killed program left behind keeps nobody out either.

    All names of a path (relative, by a link) have the same lock. The thread that holds
    it may enter it again. Another thread, and another lock of the path in the same
    process, are refused like another program. A child process does not hold it, so
    that it ends with the process that took it.

    In network folders the lock holds between hosts where the file system passes it on:
    NFS 4, NFS 3 with its lock service, SMB, Lustre mounted with `flock`. Mounted with
    local locks (`nolock`, `local_lock=all`, `localflock`), it holds within one host. If
    the file system has no locks, a warning is logged, and the work goes on.

    Args:
        path: string or path. Need not exist; the folders above it are created, and
            deleted at the end if they are empty.
        purpose: string. What the path is for, such as `"for a run"`.
        argument: string. The argument that sets another path.

    Raises:
        BadInput: on entering, if another program holds the lock, or the folder of the
            path cannot be written.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with PathLock(Path(folder, "run"), "for a run", "run"):
    ...         os.listdir(folder)
    ['.run.lock']
    """

    def __init__(self, path, purpose, argument):
        self.path, self.purpose, self.argument = Path(path), purpose, argument
        self._descriptor, self._depth, self._thread = None, 0, None
        self._file, self._made, self._holder = None, [], None

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *error):
        self.release()

    @property
    def held(self):
        """Whether this thread holds the lock, a bool."""
        return self._descriptor is not None and self._thread == threading.get_ident()

    def acquire(self):
        """Takes the lock, without waiting."""
        if not self.try_acquire():
            raise BadInput(
                "Expected a place that no other program is writing to. Received: one "
                f"that {self._holder} is writing to.",
                self.path,
                remedy="Let that program end, or stop it, or choose another "
                f"`{self.argument}`.",
            )

    def try_acquire(self):
        """Takes the lock; returns False if another program holds it."""
        if self.held:
            self._depth += 1
            return True
        try:
            # A link is followed, so that all names of a folder have the same lock.
            path = resolve_place(self.path)
            file = path.with_name(f".{path.name}.lock")
            made, descriptor = self._open(file)
        except BlockingIOError:
            return False
        except OSError as error:
            place = self.path, self.purpose, self.argument
            check_writable(*place)  # knows the reason better
            raise place_error(*place, error) from None
        self._file, self._made, self._descriptor = file, made, descriptor
        self._depth, self._thread = 1, threading.get_ident()
        _held.add(self)
        with contextlib.suppress(OSError):  # a full disk, or the file of another user
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_describe_holder()).encode(), 0)
            os.fsync(descriptor)
        return True

    def release(self):
        """Gives the lock back; nothing if it is not held."""
        if not self._depth:
            return
        self._depth -= 1
        if self._depth:
            return
        # Deleted while it is locked: who has opened it sees, once it gets the lock,
        # that it is no longer the file of this name.
        with contextlib.suppress(OSError):
            if _is_file(self._descriptor, self._file):
                self._file.unlink()
        self._forget()
        with contextlib.suppress(OSError):  # something else was written there
            for folder in self._made:
                folder.rmdir()

    def _forget(self):
        os.close(self._descriptor)
        self._descriptor, self._depth = None, 0
        _held.discard(self)

    def _open(self, file):
        """Opens and locks the file; returns the folders made for it, and the file."""
        made, tries = [], 100
        while True:
            made += [p for p in file.parents if not p.exists() and p not in made]
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                descriptor = _open_file(file)
            except (FileNotFoundError, FileExistsError):
                # Another program has just removed the folder.
                tries -= 1
                if not tries:
                    raise
                continue
            try:
                if self._lock(descriptor, file):
                    return made, descriptor
            except BaseException:
                os.close(descriptor)
                with contextlib.suppress(OSError):
                    for folder in made:
                        folder.rmdir()
                raise
            os.close(descriptor)  # it was deleted in between

    def _lock(self, descriptor, file):
        """Locks an open file; False if it is no longer the file of this name."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in BUSY:
                self._holder = _read_holder(descriptor)
                raise BlockingIOError from None
            if error.errno not in UNSUPPORTED:
                raise
            logger.warning(
                "The file system of %s has no locks (%s): start no other program that "
                "writes there.",
                *(self.path, error.strerror),
            )
        return _is_file(descriptor, file)


def remove_left(path, paths):
    """Deletes what a killed program has left, and its lock.

    While another program holds the lock, nothing is deleted.

    Args:
        path: path. What the program was writing.
        paths: iterable of paths. Folders to delete.
    """
    lock = PathLock(path, "to clean", "folder")
    with contextlib.suppress(BadInput):  # the files of another user
        if lock.try_acquire():
            for left in paths:
                shutil.rmtree(left, ignore_errors=True)
            lock.release()


def _open_file(file):
    flags = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(file, os.O_RDWR | flags, 0o666)
    except PermissionError:
        if not file.exists():
            raise
        return os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)  # another's


def _is_file(descriptor, file):
    """Whether an open file is the file of this name."""
    try:
        found = os.stat(file, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), found)


def _describe_holder():
    program, *arguments = sys.argv or [""]
    program = Path(program.removesuffix("/__main__.py"))  # python -m
    command = shlex.join([program.name, *arguments])
    return {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": command if len(command) <= LONGEST else f"{command[:LONGEST]}...",
    }


def _read_holder(descriptor):
    """What the file of a lock says about its holder, in words."""
    for _ in range(20):
        try:
            found = json.loads(os.pread(descriptor, 2**16, 0))
            return (
                f"process {found['process']} on {found['host']} (since "
                f"{found['since']}: {found['command']})"
            )
        except (OSError, ValueError, KeyError, TypeError):
            time.sleep(0.01)  # it has the lock, but has not written yet
    return "another program"


def _leave_to_parent():
    """Closes the files of locks in a forked child, which would hold them for longer."""
    for lock in list(_held):
        lock._forget()


os.register_at_fork(after_in_child=_leave_to_parent)
