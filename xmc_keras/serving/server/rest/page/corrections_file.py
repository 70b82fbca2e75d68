"""The file that keeps corrections: texts and the labels that a person accepted."""

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from pathlib import Path

from xmc_keras.files.atomic_files import check_writable
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import DiskError
from xmc_keras.files.path_lock import BUSY, UNSUPPORTED

RECENT = 2**20  # bytes at the end of the file in which an id is looked for


class CorrectionsFile:
    r"""A file of JSON lines that only grows, by whole lines.

    Each line is `{"text": "...", "labels": ["...", ...], ...}` in UTF-8, which
    `xmc learn` and `xmc prepare` read; they ignore other fields. Several servers may
    append to one file: each line is one write at the end of the file, under the file's
    `flock`, and is on disk when `append` returns. What cannot be written whole is taken
    back.

    A last line without a line end is completed if it is a correction. Any other one is
    left to its owner and reported: it was never confirmed, but may be of another
    program.

    Args:
        path: string or path. Created, with its folder, by the first correction.
        seconds: float. The longest wait for other programs. Defaults to `10.0`.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = CorrectionsFile(Path(folder, "corrections.jsonl"))
    ...     file.append({"text": "A puzzle", "labels": ["game"]})
    ...     file.path.read_text()
    True
    '{"text": "A puzzle", "labels": ["game"]}\n'
    """

    def __init__(self, path, seconds=10.0):
        self.path, self.seconds = Path(path), seconds

    def check(self):
        """Raises `BadInput` if corrections cannot be appended; writes nothing."""
        if self.path.suffix in (".gz", ".xz"):
            raise BadInput(
                "Expected a plain file for corrections. Received: a compressed one.",
                self.path,
                remedy="Choose another `corrections`.",
            )
        if not os.path.exists(self.path):
            return check_writable(self.path, "for corrections", "corrections")
        with self._opened(os.O_RDWR | os.O_APPEND) as descriptor:
            if size := os.fstat(descriptor).st_size:
                self._check_last_line(descriptor, size)

    def append(self, correction):
        """Appends a correction, and returns once it is on disk.

        Args:
            correction: dictionary with `text`, a string, `labels`, a list of strings,
                and further fields, all of valid Unicode. A correction with the `id` of
                a recent line is that line, sent again, and is not appended.

        Returns:
            Whether it was appended, a bool.

        Raises:
            BadInput: the file cannot be written, its last line is not whole, or another
                program keeps it locked. It is then as it was before.
        """
        line = json.dumps(correction, ensure_ascii=False).encode() + b"\n"
        sent = json.dumps({"id": correction.get("id")})[1:-1].encode()
        with self._opened(os.O_RDWR | os.O_APPEND | os.O_CREAT) as descriptor:
            self._lock(descriptor)
            size = os.fstat(descriptor).st_size
            recent = os.pread(descriptor, RECENT, max(0, size - RECENT))
            if size and not recent.endswith(b"\n"):
                self._check_last_line(descriptor, size)
                line = b"\n" + line
            if "id" in correction and sent in recent:
                return False
            try:
                if os.write(descriptor, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                _sync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            if not size:
                _sync_folder(self.path.parent)
        return True

    @contextlib.contextmanager
    def _opened(self, flags):
        try:
            if flags & os.O_CREAT:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            # A pipe would wait for its reader.
            descriptor = os.open(
                self.path, flags | os.O_CLOEXEC | os.O_NONBLOCK, mode=0o666
            )
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise self._kind_error("something else")
                yield descriptor
            finally:
                os.close(descriptor)
        except IsADirectoryError:
            raise self._kind_error("a folder") from None
        except OSError as error:
            found = DiskError.of(error, self.path)
            remedy = found.remedy.replace(", then run it again", "")
            raise DiskError(found.message, self.path, remedy=remedy) from None

    def _kind_error(self, received):
        return BadInput(
            f"Expected a file for corrections. Received: {received}.",
            self.path,
            remedy="Choose another `corrections`.",
        )

    def _lock(self, descriptor):
        deadline = time.monotonic() + self.seconds
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in UNSUPPORTED:
                    return None  # one write at the end is what there is
                if error.errno not in BUSY:
                    raise
            if time.monotonic() > deadline:
                raise BadInput(
                    "Expected a file that is free to write. Received: one that another "
                    f"program has locked for {self.seconds:g} seconds.",
                    self.path,
                    remedy="End that program.",
                )
            time.sleep(0.01)

    def _check_last_line(self, descriptor, size):
        """Raises `BadInput` if the last line is not a correction."""
        content = os.pread(descriptor, size, 0).removesuffix(b"\n")
        line = content[content.rfind(b"\n") + 1 :]
        try:
            found = json.loads(line)
            if isinstance(found["text"], str) and isinstance(found["labels"], list):
                return
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        raise BadInput(
            'Expected a last line like {"text": "...", "labels": ["..."]}. Received: '
            f"{line[:60].decode(errors='replace')!r}.",
            self.path,
            content.count(b"\n") + 1,
            remedy="Complete or delete this line, or choose another `corrections`.",
        )


def _sync(descriptor):
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot
            raise


def _sync_folder(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)
