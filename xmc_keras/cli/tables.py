"""A table as lines of text."""


def align_columns(lines):
    """Columns under each other: the first to the left, others to the right.

    Args:
        lines: list of lists of strings, all of one length.

    Example:

    >>> print(align_columns([["label", "score"], ["a", "0.25"]]))
    label  score
    a       0.25
    """
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    )
