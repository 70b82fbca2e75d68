"""Whether a file may be written."""

from pathlib import Path

from xmc_keras.files.atomic_files import check_writable
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.describe_folder import check_file_for

REMEDY = "Replace it with `overwrite=True`, or choose another place with `output`."


def check_output(path, overwrite=False):
    """Raises `BadInput` if `path` exists or cannot be written.

    Args:
        path: string or path of a file.
        overwrite: bool. Whether an existing file may be replaced. Defaults to `False`.

    Example:

    >>> check_output("setup.py")
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: setup.py: Expected no earlier file. ...
    """
    path = Path(path)
    check_writable(path, "to write to", "output")
    if path.is_dir():
        raise BadInput("Expected a file to write. Received: a folder.", path)
    check_file_for(path, "output")
    if path.exists() and not overwrite:
        raise BadInput(
            "Expected no earlier file. Received: an existing file.", path, None, REMEDY
        )
