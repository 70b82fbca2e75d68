"""A file that a program makes from runs: refused early, or whole at the end."""

import os
import tempfile
from pathlib import Path

from xmc_keras.bad_input import BadInput


def check_output(path, overwrite=False):
    """Raises BadInput if a file may not, or cannot, be written to `path`."""
    path = Path(path)
    if path.is_dir():
        raise BadInput("Expected a file to write. Received: a folder.", path)
    if path.exists() and not overwrite:
        raise BadInput(
            "Expected no earlier file. Received: one. Replace it with --overwrite, or "
            "choose another place with --output.",
            path,
        )
    above = path.resolve().parents
    try:
        # Made and removed again: root passes any question about permissions.
        with tempfile.TemporaryDirectory(dir=next(p for p in above if p.exists())):
            pass
    except OSError as error:
        raise BadInput(
            f"Expected a place to write to. Received: {error.strerror}. Choose another "
            "with --output.",
            path,
        ) from None


def write_output(path, text):
    """Writes a file, with its folder: it is whole or not there."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
