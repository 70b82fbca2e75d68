"""Command lines of the benchmarks and output of their figures."""

import argparse
import json
import sys
from pathlib import Path

from xmc_keras.cli.tables import align_columns


def benchmark_parser(module, description):
    """The `ArgumentParser` of a module of benchmarks/, such as `speed.predict`."""
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def at_least(least):
    """Returns an argparse type: integers that are not below `least`."""

    def integer(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}: {text}")
        return int(text)

    return integer


def above_zero(what):
    """Returns an argparse type: finite numbers above 0, called `what` in errors."""

    def number(text):
        if not 0 < (found := float(text)) < float("inf"):
            raise argparse.ArgumentTypeError(f"expected {what} above 0: {text}")
        return found

    return number


def add_integers(parser, options):
    """Adds integer options `(name, default, least, meaning)`; meaning may be ""."""
    for name, default, least, meaning in options:
        parser.add_argument(
            f"--{name}",
            type=at_least(least),
            default=default,
            help=f"{meaning} ({default})".strip(),
            metavar="N",
        )


def add_json(parser):
    """Adds the option `--json`, a path for `make_place` and `keep`."""
    parser.add_argument("--json", metavar="FILE", help="also write the figures to FILE")


def make_place(path):
    """Makes the folder of `--json` before the work, so that a bad path fails early."""
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)


def keep(figures, path):
    """Writes figures to the file of `--json`, if given; returns them as JSON."""
    text = json.dumps(figures, indent=2)
    if path:
        Path(path).write_text(text + "\n")
    return text


def table(rows):
    """Formats dictionaries of the same keys as a table, one row each."""
    return align_columns(
        [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    )


def put_between(text, begin, end, part, page):
    """The text of a page with `part` between two comments; ends if it lacks them."""
    before, begin_found, rest = text.partition(begin)
    _, end_found, after = rest.partition(end)
    if not (begin_found and end_found):
        sys.exit(f"error: Expected {begin.strip()} and {end} in {page}.")
    return f"{before}{begin}{part}{end}{after}"
