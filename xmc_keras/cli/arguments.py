"""Arguments and output files that several commands share."""

import codecs
import os
import sys
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.files.atomic_files import atomic_write, check_writable
from xmc_keras.files.describe_folder import check_file_for
from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.files.text_file import raw_lines, text_lines


def add_config(parser):
    """Adds the recipe and `--set`, the arguments of `load_config`."""
    parser.add_argument("config", help="a recipe, for example configs/debian24k.yaml")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of the config; may be given several times; text is taken as "
        "it is",
    )


def add_data(parser):
    """Adds `--data`, for a run whose data was moved."""
    parser.add_argument(
        "--data", metavar="FOLDER", help="the folder of the run's data, if it was moved"
    )


def given_texts(arguments, skip=None):
    """Texts of the command line, without arguments the lines of standard input.

    Byte order marks are removed, as from files.

    Args:
        arguments: list of strings.
        skip: see `text_lines`.
    """
    if arguments:
        texts = (os.fsencode(text) for text in arguments)
        texts = (text.removeprefix(codecs.BOM_UTF8) for text in texts)
        return text_lines("argument", texts, skip)
    source = "standard input"
    return text_lines(source, raw_lines(source, sys.stdin.buffer), skip)


def check_output(path, overwrite=False):
    """Raises `BadInput` if `path` exists or cannot be written."""
    path = Path(path)
    check_writable(path, "to write to", "output")
    if path.is_dir():
        raise BadInput("Expected a file to write. Received: a folder.", path)
    check_file_for(path, "output")
    if path.exists() and not overwrite:
        raise BadInput(
            "Expected no earlier file. Received: an existing file. Replace it with "
            "--overwrite, or choose another place with --output.",
            path,
        )


def write_output(path, text):
    """Writes a file atomically, and makes its folder."""
    with explain_disk_errors(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(text.encode())
