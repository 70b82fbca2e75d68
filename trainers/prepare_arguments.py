"""The arguments of prepare.py."""

import argparse
import os
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.find_format import FORMATS


def prepare_arguments(description):
    """Parses and checks the command line.

    Raises:
        BadInput: arguments do not go together.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", help="a folder, or the file of the training part")
    parser.add_argument("target", help="the folder to write")
    parser.add_argument("--format", choices=FORMATS, help="(found by names and lines)")
    parser.add_argument("--test", metavar="FILE", help="the file of the test part")
    parser.add_argument(
        "--test-share", type=float, metavar="S", help="make a test part of that share"
    )
    parser.add_argument(
        "--labels", metavar="FILE", help="names of labels, for formats with label ids"
    )
    parser.add_argument("--text-column", metavar="NAME", help="or several: title,body")
    parser.add_argument("--label-column", metavar="NAME")
    parser.add_argument(
        "--label-separator", metavar="S", help="between labels of a cell (white space)"
    )
    parser.add_argument(
        "--no-quotes", action="store_true", help='in csv, tsv: " is like any character'
    )
    parser.add_argument(
        "--prefix", default="__label__", help="of labels for fasttext (__label__)"
    )
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="leave documents out that are no such, and count them, not stop",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on after a kill")
    again.add_argument("--overwrite", action="store_true", help="replace the target")
    args = parser.parse_args()
    check(args)
    return args


def check(args):
    """Raises BadInput for arguments that do not go together."""
    if args.test_share is not None:
        if not 0 < args.test_share < 1:
            raise BadInput(
                f"Expected --test-share between 0 and 1. Received: {args.test_share}."
            )
        if args.test:
            raise BadInput("Expected --test or --test-share. Received: both.")
    if args.label_separator == "":
        raise BadInput("Expected a character for --label-separator. Received: none.")
    if not args.prefix.split():
        raise BadInput("Expected characters for --prefix. Received: none.")
    if Path(args.source).resolve() == Path(args.target).resolve():
        raise BadInput(
            "Expected a target that is not the source. Received: both in one.",
            args.target,
        )


def settings_of(args, format):
    """What the folder depends on: arguments, and the source as it is."""
    found = {"format": format}
    for name in ("test_share", "text_column", "label_column", "label_separator"):
        found[name] = getattr(args, name)
    found |= {"quotes": not args.no_quotes, "prefix": args.prefix}
    found["skip_bad_lines"] = args.skip_bad_lines
    for path in (args.source, args.test, args.labels):
        if path:
            paths = Path(path).rglob("*") if os.path.isdir(path) else [Path(path)]
            for file in sorted(file for file in paths if file.is_file()):
                stat = file.stat()
                found[str(file.resolve())] = f"{stat.st_size} bytes, {stat.st_mtime_ns}"
    return found
