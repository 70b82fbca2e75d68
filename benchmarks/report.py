"""How a benchmark takes its arguments and shows its figures."""

import argparse


def at_least(least):
    """Returns what makes an integer of an argument, or an error below `least`."""

    def integer(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}: {text}")
        return int(text)

    return integer


def table(rows):
    """Dictionaries of the same keys as a table, a row each."""
    lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    )
