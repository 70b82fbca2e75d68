"""Arguments and output files that several commands share."""

import codecs
import os
import sys
from pathlib import Path

from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.files.text_file import raw_lines, text_lines


def add_config(parser):
    """Adds the recipe or folder of data, and `--set`."""
    parser.add_argument(
        "config",
        help="a recipe, for example configs/debian24k.yaml, or a folder of data",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of the config; may be given several times; text is taken as "
        "it is",
    )


def groups_file(config, overrides):
    """The file of groups to read with the training part, `validation_by`, or None.

    Args:
        config: a `Config`, or None if it is chosen once the documents are read.
        overrides: list of strings of `--set`.
    """
    if config is None:
        # Imported here: it needs NumPy, which clients of a server do without.
        from xmc_keras.config.config_file import read_setting

        return dict(map(read_setting, overrides)).get("validation_by")
    return config.validation_by


def add_data(parser):
    """Adds `--data`, for a run whose data was moved."""
    parser.add_argument(
        "--data", metavar="FOLDER", help="the folder of the run's data, if it was moved"
    )


def add_documents(parser):
    """Adds the documents to evaluate on: of the run's data, or other files."""
    add_data(parser)
    parser.add_argument("--texts", help="file of one document per line")
    parser.add_argument("--labels", help="file of their labels, separated by spaces")
    parser.add_argument(
        "--filter",
        help="file of labels to leave out for each document; lines may be empty",
    )
    add_skip_bad_lines(parser)


def add_skip_bad_lines(parser):
    """Adds `--skip-bad-lines`."""
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="leave bad lines of the data out and count them, instead of stopping",
    )


def given_documents(args, keep_data=False):
    """The arguments of `add_documents`, as those of `read_test_part`.

    Args:
        args: the arguments of the command.
        keep_data: bool. Whether `--data` may be given with `--texts`, as the training
            part is read, too. Defaults to `False`.

    Returns:
        Dictionary of keyword arguments.

    Raises:
        BadInput: the arguments do not fit together.
    """
    if bool(args.texts) != bool(args.labels):
        raise BadInput("Expected --texts and --labels together. Received: one of them.")
    if args.data and args.texts and not keep_data:
        raise BadInput("Expected --data or --texts. Received: both.")
    if args.filter and not args.texts:
        raise BadInput(
            "Expected --filter with --texts and --labels. Received: --filter alone. "
            "The filter of the test part is test_filter.txt in the folder of the data."
        )
    names = "data", "texts", "labels", "filter", "skip_bad_lines"
    return {name: getattr(args, name) for name in names}


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


def write_output(path, text):
    """Writes a file atomically, and makes its folder."""
    with explain_disk_errors(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(text.encode())
