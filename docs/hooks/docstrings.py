"""Docstrings as mkdocstrings shows them: an extension of Griffe, which reads them.

Public names, which the package imports on first use, become members of `xmc_keras`.
Examples without indentation become sections of their own, and names in backticks
links.
"""

import re
import sys
from pathlib import Path

import griffe

sys.path.append(str(Path(__file__).parent))

from public_names import homes  # noqa: E402

HOMES = homes()
# As Griffe calls the sections of this project's docstrings.
SECTIONS = {
    "Call arguments:": "Args: Call arguments:",
    "Example:": "Examples:",
}
NAME = re.compile(r"(?<![\[`\w.])`(?:xmc_keras\.)?(\w+)(\(\))?`(?![`\]])")


class PublicNames(griffe.Extension):
    """Adds the names of `_HOMES` to the package and prepares all docstrings."""

    def on_instance(self, *, obj, **kwargs):
        if obj.docstring and not obj.is_alias:
            obj.docstring.value = prepare(obj.docstring.value, obj.name)

    def on_package(self, *, pkg, **kwargs):
        if pkg.name == "xmc_keras":
            for name, home in HOMES.items():
                target = f"xmc_keras.{home}.{name}"
                pkg.set_member(name, griffe.Alias(name, target, parent=pkg))


def prepare(docstring, own_name):
    """A docstring with sections and links as Griffe and autorefs know them."""
    lines, example = [], False
    for line in docstring.splitlines():
        if line in SECTIONS:
            line, example = SECTIONS[line], line == "Example:"
        elif example and line and not line.startswith(" "):
            # An example ends where another section begins.
            example = not re.fullmatch(r"[A-Z]\w+( \w+)?:.*", line)
        if example and line and line != "Examples:":
            line = f"    {line}"
        elif not re.match(r"\s*(>>>|\.\.\. )", line):
            line = NAME.sub(lambda match: link(match, own_name), line)
        lines.append(line)
    return "\n".join(lines)


def link(match, own_name):
    if match[1] not in HOMES or match[1] == own_name:
        return match[0]
    return f"[{match[0]}][xmc_keras.{match[1]}]"
