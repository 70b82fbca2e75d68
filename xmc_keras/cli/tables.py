"""Formatting text tables."""


def align_columns(lines):
    """Aligns columns: the first to the left, the others to the right.

    Args:
        lines: list of lists of strings, all of the same length.

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


def metrics_table(rows):
    """Formats the metrics of several systems, one per line.

    Args:
        rows: dictionary of names to dictionaries with `P@1` ... `PSP@5`.
    """
    keys = [f"{m}@{k}" for m in ("P", "nDCG", "PSP") for k in (1, 3, 5)]
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"{key:>8}" for key in keys)]
    for name, metrics in rows.items():
        cells = "".join(f"{metrics[key]:8.2f}" for key in keys)
        lines.append(name.ljust(width) + cells)
    return "\n".join(lines)


def selection_table(selection):
    """Formats the result of `measure_selection`, a line each.

    >>> print(selection_table({"target": "f1", "micro_F1": 50.0, "hit": 75}))
    labels that reach f1
    micro F1  50.00
    hit       75.00
    """
    rows = [
        [name.replace("_", " "), f"{value:.2f}"]
        for name, value in selection.items()
        if name != "target"
    ]
    return f"labels that reach {selection['target']}\n{align_columns(rows)}"
