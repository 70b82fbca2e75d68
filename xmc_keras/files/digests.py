"""Digests of files whose format does not check itself, in `digests.json`.

`digests.json` of a folder has a line for each file: its name, and the SHA-256 of its
content. Readers compare it, so that a flipped bit on a disk is an error and not a wrong
number. A file without a line is not checked: remove the line of a file that you change
on purpose. Hashing takes about a second for each GB.
"""

import contextlib
import hashlib
import json
from pathlib import Path

from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput

DIGESTS = "digests.json"


@contextlib.contextmanager
def write_checked(path):
    """Context manager that writes a file atomically, and its digest.

    Until the file is replaced its line has both digests, the new one first, so that a
    program that is killed at any time leaves a file with a digest of its own.

    Args:
        path: string or path, see `atomic_write`.

    Raises:
        DiskError: the file cannot be written.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "metrics.json")
    ...     with write_checked(path) as file:
    ...         _ = file.write(b'{"P@1": 50.0}')
    ...     check_digest(path)
    ...     _ = path.write_bytes(b'{"P@1": 90.0}')
    ...     check_digest(path)
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: ...metrics.json: Expected the file as it was ...
    """
    path = Path(path)

    def record(part):
        digests = read_digests(path.parent)
        found = [digest_file(part)]
        if path.exists():
            found += {digest_file(path)} & set(digests.get(path.name, "").split())
        digests[path.name] = " ".join(dict.fromkeys(found))
        write_digests(path.parent, digests)

    with atomic_write(path, record) as file:
        yield file


def record_digests(folder, names, at=DIGESTS):
    """Writes the digests of complete files.

    Args:
        folder: string or path.
        names: iterable of strings, paths of files within the folder.
        at: string. Where to write them. Defaults to `"digests.json"`.
    """
    digests = {name: digest_file(Path(folder, name)) for name in sorted(names)}
    write_digests(folder, digests, at)


def check_digest(path, remedy="Restore the file"):
    """Raises `BadInput` if a file cannot be read, or is not as it was written.

    Args:
        path: string or path. A file that is missing or has no digest passes.
        remedy: string. What to do, the start of a sentence.
    """
    path = Path(path)
    expected = read_digests(path.parent).get(path.name)
    if expected is not None and _find(path) not in (None, *expected.split()):
        raise BadInput(
            "Expected the file as it was written. Received: other content.",
            path,
            remedy=f"{remedy}; if you changed it on purpose, remove its line from "
            f"{DIGESTS}.",
        )


def check_digests(folder, at=DIGESTS):
    """Raises `BadInput` if any file of a folder is missing or not as it was written.

    Args:
        folder: string or path.
        at: string, see `record_digests`. Without this file nothing is checked.
    """
    for name, expected in read_digests(folder, at).items():
        path = Path(folder, name)
        if (found := _find(path)) != expected:
            received = "none" if found is None else "other content"
            raise BadInput(
                f"Expected the file as it was written. Received: {received}.", path
            )


def _find(path):
    """The digest of a file, None if it is missing."""
    try:
        return digest_file(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(
            f"Expected a file that can be read. Received: {error.strerror}.",
            path,
            remedy="Make it readable, or restore it.",
        ) from None


def digest_file(path):
    """Hex digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(value):
    """Hex digest of a value that JSON can hold; empty for None.

    >>> digest_json(None), digest_json(["a", "b"]) == digest_json(["a", "c"])
    ('', False)
    """
    if value is None:
        return ""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def read_digests(folder, at=DIGESTS):
    """A dictionary of name to digests, separated by spaces; empty without the file."""
    path = Path(folder, at)
    try:
        digests = json.loads(path.read_bytes())
        if not all(isinstance(digest, str) for digest in digests.values()):
            raise ValueError("no digests")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise BadInput(
            "Expected the digests of the files next to it. Received: "
            f"{getattr(error, 'strerror', None) or error}.",
            path,
            remedy="Restore it, or remove it to use the files unchecked.",
        ) from None
    return digests


def write_digests(folder, digests, at=DIGESTS):
    """Writes what `read_digests` reads."""
    with atomic_write(Path(folder, at)) as file:
        file.write(json.dumps(digests, indent=1).encode() + b"\n")
