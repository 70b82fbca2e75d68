"""HTML table."""

import html


def make_html_table(head, rows, best=None, runs=None, text_columns=(0,)):
    """Formats rows of cells as a table that scrolls if it is too wide.

    Args:
        head: list of strings.
        rows: list of lists of strings, floats or None.
        best: optional dictionary from a column to its bold value.
        runs: optional int. Number of runs; the rows after them are baselines, in grey.
        text_columns: ints. Columns of text, which are aligned left.

    Example:

    >>> print(make_html_table(["run", "P@1"], [["a<b", 61.234]], {1: 61.234}))
    <div class="wide"><table><tr><th class="text">run</th><th>P@1</th></tr>
    <tr><td class="text">a&lt;b</td><td class="best">61.23</td></tr></table></div>
    """
    best = best or {}
    cells = [format_cell("th", text, j in text_columns) for j, text in enumerate(head)]
    lines = ["".join(cells)]
    kinds = [""]
    for i, row in enumerate(rows):
        baseline = runs is not None and i >= runs
        kinds.append(' class="baseline"' if baseline else "")
        lines.append(
            "".join(
                format_cell(
                    "td",
                    value,
                    j in text_columns,
                    not baseline and value is not None and value == best.get(j),
                )
                for j, value in enumerate(row)
            )
        )
    body = "\n".join(f"<tr{kind}>{line}</tr>" for kind, line in zip(kinds, lines))
    return f'<div class="wide"><table>{body}</table></div>'


def format_cell(tag, value, text=False, best=False):
    kinds = ["text"] * text + ["best"] * best
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    if value is None:
        value = "–"
    elif not isinstance(value, str):
        value = f"{value:,.2f}"
    return f"<{tag}{kind}>{escape(value)}</{tag}>"


def escape(text):
    """Escapes a text for HTML."""
    return html.escape(str(text))
