"""Parts of pages that are made of the package, so that nothing is copied by hand.

A comment in a page stands for one of them:

    <!-- make: config_keys -->           every key of a recipe
    <!-- make: commands -->              the help of every command
    <!-- make: names -->                 a table of all public names
    <!-- make: reference lightxml -->    the public names of parts of the package that
                                         the page does not show already
    <!-- make: notebook a.ipynb -->      the cells of a notebook in docs/ and what
                                         stands below them
"""

import contextlib
import importlib
import io
import json
import os
import re
from pathlib import Path

from docs.hooks.public_names import folder, homes, summary, with_links

FENCED = re.compile(r"(^ *```.*?^ *```$)", re.M | re.S)
# 80.27 / 61.81 and 0.18 ± 0.70 stay on one line, so that columns can be compared.
TOGETHER = re.compile(r"(?<=\d) ([/±]) (?=[\d+-])")
SHOWN = re.compile(r"^::: xmc_keras\.(\w+)$", re.M)
MAKE = re.compile(r"^<!-- make: (\w+)(.*?)-->$", re.M)


def on_page_markdown(markdown, page, config, files):
    """Fills in the parts of a page and links public names, for MkDocs."""

    def make(match):
        return MAKERS[match[1]](*match[2].split(), shown=SHOWN.findall(markdown))

    made = MAKE.sub(make, markdown)
    parts = FENCED.split(made)  # each second one is code
    parts[::2] = [TOGETHER.sub(r"&nbsp;\1&nbsp;", with_links(p)) for p in parts[::2]]
    return "".join(parts)


def config_keys(shown):
    """Every key with its meaning, of what `describe_config()` says."""
    from xmc_keras.config.describe_config import describe_config

    # A key begins at the margin; its second line is further in than its meaning.
    text = re.sub(r"\n {8}", " ", describe_config())
    entries = [entry.splitlines() for entry in re.split(r"\n+(?=\S)", text)]
    keys = "|".join(head.partition(":")[0] for head, *_ in entries)
    parts = []
    for head, *meaning in entries:
        key, colon, accepted = head.partition(": ")
        if not meaning:  # a heading
            head = head.strip(" :").capitalize()
            head = head.replace("lightxml", "LightXML").replace(
                "lightdxml", "LightDXML"
            )
            parts.append(f"## {head}\n")
            continue
        meaning = " ".join(line.strip() for line in meaning)
        meaning = re.sub(
            rf"(?<![\w`])((?=\w*_)(?:{keys}))(?![\w`]|\.\w)", r"`\1`", meaning
        )
        parts.append(f"`{key}`{{ #{key} }} *{accepted}*\n:   {meaning}\n")
    return "\n".join(parts)


def commands(shown):
    """The help of every command of `xmc`."""
    from xmc_keras.cli.program import COMMANDS
    from xmc_keras.config.describe_config import describe_config

    keys, _, _ = describe_config().partition("\n")
    parts = []
    for command, purpose in COMMANDS.items():
        # The keys of a recipe, which `xmc fit --help` ends with, have their own page.
        text = help_of(command).partition(keys)[0].rstrip()
        parts.append(
            f"## xmc {command} {{ #{command} }}\n\n"
            f"{purpose[0].upper()}{purpose[1:]}.\n\n```text\n{text}\n```\n"
        )
    return "\n".join(parts)


def help_of(command):
    from xmc_keras.cli.program import find_module

    main = importlib.import_module(find_module(command)).main
    output = io.StringIO()
    os.environ["COLUMNS"] = "88"  # which argparse wraps at
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        main(["--help"])
    return output.getvalue()


def names(shown):
    """A table of the public names, each with the first line of its docstring."""
    rows = ["| from `xmc_keras` | |", "| --- | --- |"]
    for name, home in sorted(homes().items()):
        rows.append(f"| [`{name}`][xmc_keras.{name}] | {summary(home, name)} |")
    return "\n".join(rows)


def reference(*folders, shown):
    """What mkdocstrings replaces by the docstrings of the names in some folders."""
    found = [name for name, home in homes().items() if folder(home) in folders]
    wanted = sorted(set(found) - set(shown))
    return "\n\n".join(f"::: xmc_keras.{name}" for name in wanted)


def notebook(path, shown):
    """The cells of a notebook, with their outputs, as Markdown."""
    text = (Path(__file__).parents[1] / path).read_text("utf-8")
    parts = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        is_code = cell["cell_type"] == "code"
        parts.append(f"```python\n{source}\n```" if is_code else source)
        parts += [output_of(output) for output in cell.get("outputs", ())]
    return "\n\n".join(parts)


def output_of(output):
    """What stands below a cell: text, or a picture."""
    data = output.get("data", {})
    if "image/png" in data:
        return f"![The figure of this cell](data:image/png;base64,{data['image/png']})"
    text = "".join(output.get("text", data.get("text/plain")))
    return f"```text\n{text.rstrip()}\n```"


MAKERS = {
    "config_keys": config_keys,
    "commands": commands,
    "names": names,
    "reference": reference,
    "notebook": notebook,
}
