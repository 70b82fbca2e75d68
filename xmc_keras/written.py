"""A file that is there once it is whole."""

import contextlib
import gzip
import os
from pathlib import Path


@contextlib.contextmanager
def written(path):
    """Opens a file of bytes beside `path`, and renames it if nothing went wrong.

    Args:
        path: string or path. Compressed where it ends in `.gz`.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "texts.txt.gz")
    ...     with written(path) as file:
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
