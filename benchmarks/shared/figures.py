"""How a benchmark takes its arguments and shows its figures."""

import argparse
import json
import sys
from pathlib import Path

# So that it runs in a clone that is not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xmc_keras.cli.tables import align_columns


def at_least(least):
    """Returns what makes an integer of an argument, or an error below `least`."""

    def integer(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}: {text}")
        return int(text)

    return integer


def above_zero(what):
    """Returns what makes a number of an argument, or an error at 0 and below."""

    def number(text):
        if not 0 < (found := float(text)) < float("inf"):
            raise argparse.ArgumentTypeError(f"expected {what} above 0: {text}")
        return found

    return number


def add_integers(parser, options):
    """Adds options of integers: `(name, default, least, meaning)`, "" for none."""
    for name, default, least, meaning in options:
        parser.add_argument(
            f"--{name}",
            type=at_least(least),
            default=default,
            help=f"{meaning} ({default})".strip(),
            metavar="N",
        )


def add_json(parser):
    """Adds the option that `keep` is called with."""
    parser.add_argument("--json", metavar="FILE", help="keep the figures in FILE too")


def make_place(path):
    """Makes the folder of `--json` before the work, so that a wrong one is told."""
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)


def keep(figures, path):
    """Writes figures where `--json` says, if it does; returns them as JSON."""
    text = json.dumps(figures, indent=2)
    if path:
        Path(path).write_text(text + "\n")
    return text


def table(rows):
    """Dictionaries of the same keys as a table, a row each."""
    return align_columns(
        [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    )
