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

from public_names import homes, with_links  # noqa: E402

# As Griffe calls the sections of this project's docstrings.
SECTIONS = {
    "Call arguments:": "Args: Call arguments:",
    "Example:": "Examples:",
}


class PublicNames(griffe.Extension):
    """Adds the names of `_HOMES` to the package and prepares all docstrings."""

    def on_instance(self, *, obj, **kwargs):
        if obj.docstring and not obj.is_alias:
            obj.docstring.value = prepare(obj.docstring.value, obj.name)

    def on_package(self, *, pkg, **kwargs):
        if pkg.name == "xmc_keras":
            for name, home in homes().items():
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
            line = with_links(line, own_name)
        lines.append(line)
    return "\n".join(lines)
