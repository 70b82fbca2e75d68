"""The error that a full, broken or protected disk raises."""

import contextlib
import errno
import os
import re

from xmc_keras.files.bad_input import BadInput

REMEDIES = {
    errno.ENOSPC: "Free disk space, then run it again.",
    errno.EDQUOT: "Free disk space, or have your quota raised, then run it again.",
    errno.EFBIG: "Raise the limit of file sizes (ulimit -f), then run it again.",
    errno.EIO: "Check the disk, or choose another one.",
    errno.EROFS: "Choose a folder that can be written.",
    errno.EACCES: "Make it writable, or choose another place.",
    errno.EPERM: "Make it writable, or choose another place.",
}


class DiskError(BadInput):
    """A file cannot be written, because its disk is full, broken or protected.

    Example:

    >>> str(DiskError.of(OSError(errno.ENOSPC, "No space left on device"), "run"))[:61]
    'run: Expected to write here. Received: No space left on devic'
    """

    @classmethod
    def of(cls, error, path):
        """The `DiskError` of an error raised while `path` was written.

        Args:
            error: `OSError`, or the `DiskError` of a file within, at its temporary
                place.
            path: string or path.
        """
        if isinstance(error, DiskError):
            return cls(error.message, path, remedy=error.remedy)
        return cls(
            f"Expected to write here. Received: {error.strerror or error}.",
            path,
            remedy=REMEDIES.get(error.errno, "Choose another place."),
        )

    def resumable(self):
        """The same error, of a program that continues with `resume=True`."""
        remedy = self.remedy.replace(
            "then run it again", "then continue with `resume=True`"
        )
        return DiskError(self.message, self.path, remedy=remedy)


def find_disk_error(error):
    """The `OSError` of a disk that an exception is or reports; None if it is neither.

    TensorFlow's C++ and HDF5 raise exceptions of their own, with the system's words for
    the reason in their messages.

    >>> find_disk_error(RuntimeError("a/b.index; No space left on device")).strerror
    'No space left on device'
    """
    if isinstance(error, OSError) and error.errno in REMEDIES:
        return error
    if isinstance(error, OSError) and re.search("requested and .* written", str(error)):
        # Of `ndarray.tofile`, which does not say why.
        return OSError(errno.ENOSPC, f"a full disk ({error})")
    for code in REMEDIES:
        if os.strerror(code).lower() in str(error).lower():
            return OSError(code, os.strerror(code))
    return None


@contextlib.contextmanager
def explain_disk_errors(path, kind=Exception):
    """Context manager that turns errors of the disk into a `DiskError` of `path`.

    Args:
        path: string or path. What is written in the block.
        kind: type of exceptions to look at. Defaults to `Exception`.

    Example:

    >>> with explain_disk_errors("events"):
    ...     raise RuntimeError("Failed to flush: No space left on device")
    Traceback (most recent call last):
    xmc_keras.files.disk_error.DiskError: events: Expected to write here. Received: ...
    """
    try:
        yield
    except kind as error:
        if isinstance(error, BadInput):
            found = error if isinstance(error, DiskError) else None
        else:
            found = find_disk_error(error)
        if found is None:
            raise
        raise DiskError.of(found, path) from error
