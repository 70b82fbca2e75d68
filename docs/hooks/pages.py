"""Parts of pages that are made of the package, so that nothing is copied by hand.

A comment in a page stands for one of them:

    <!-- make: config_keys -->           every key of a recipe
    <!-- make: commands -->              the help of every command
    <!-- make: names -->                 a table of all public names
    <!-- make: reference lightxml -->    the public names of parts of the package
"""

import contextlib
import importlib
import io
import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from public_names import folder, homes, summary, with_links  # noqa: E402

FENCED = re.compile(r"(^ *```.*?^ *```$)", re.M | re.S)
MAKE = re.compile(r"^<!-- make: (\w+)(.*?)-->$", re.M)


def on_page_markdown(markdown, page, config, files):
    """Fills in the parts of a page and links public names, for MkDocs."""
    markdown = MAKE.sub(lambda match: MAKERS[match[1]](*match[2].split()), markdown)
    parts = FENCED.split(markdown)  # each second one is code
    return "".join(with_links(p) if i % 2 == 0 else p for i, p in enumerate(parts))


def config_keys():
    """A section for each key, of what `describe_config()` says."""
    from xmc_keras.config.describe_config import describe_config

    # A key begins at the margin, its second line is further in than its meaning.
    text = re.sub(r"\n {8}", " ", describe_config())
    parts = []
    for entry in re.split(r"\n(?=\S)", text):
        head, *meaning = entry.splitlines()
        key, colon, accepted = head.partition(": ")
        if not colon:  # a heading
            parts.append(f"## {head.strip(' :')}\n")
            continue
        meaning = re.sub(r"(?<![\w`])(\w+_\w+)(?![\w`])", r"`\1`", joined(meaning))
        parts.append(f"`{key}` {{ #{key} }}\n:   {meaning}\n\n    *{accepted}*\n")
    return "\n".join(parts)


def joined(lines):
    return " ".join(line.strip() for line in lines)


def commands():
    """The help of every command of `xmc`."""
    from xmc_keras.cli.program import COMMANDS

    parts = []
    for command, purpose in COMMANDS.items():
        # The keys of a recipe, which `xmc fit --help` ends with, have their own page.
        text = help_of(command).partition("\nkeys of a config:")[0].rstrip()
        parts.append(
            f"## xmc {command} {{ #{command} }}\n\n"
            f"{purpose[0].upper()}{purpose[1:]}.\n\n```text\n{text}\n```\n"
        )
    return "\n".join(parts)


def help_of(command):
    main = importlib.import_module(f"xmc_keras.cli.{command}").main
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        main(["--help"])
    return output.getvalue()


def names():
    """A table of the public names, each with the first line of its docstring."""
    rows = ["| from `xmc_keras` | |", "| --- | --- |"]
    for name, home in sorted(homes().items()):
        rows.append(f"| [`{name}`][xmc_keras.{name}] | {summary(home, name)} |")
    return "\n".join(rows)


def reference(*folders):
    """What mkdocstrings replaces by the docstrings of the names in some folders."""
    found = [name for name, home in homes().items() if folder(home) in folders]
    return "\n\n".join(f"::: xmc_keras.{name}" for name in sorted(found))


MAKERS = {
    "config_keys": config_keys,
    "commands": commands,
    "names": names,
    "reference": reference,
}
