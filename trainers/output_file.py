"""A file that a program makes from runs: refused early, or whole at the end."""

from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.files.atomic_files import check_writable, written


def check_output(path, overwrite=False):
    """Raises BadInput if a file may not, or cannot, be written to `path`."""
    path = Path(path)
    check_writable(path, "to write to", "--output")
    if path.is_dir():
        raise BadInput("Expected a file to write. Received: a folder.", path)
    if path.exists() and not overwrite:
        raise BadInput(
            "Expected no earlier file. Received: one. Replace it with --overwrite, or "
            "choose another place with --output.",
            path,
        )


def write_output(path, text):
    """Writes a file, with its folder: it is whole or not there."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with written(path) as file:
        file.write(text.encode())
