"""Docstrings as mkdocstrings shows them: an extension of Griffe, which reads them.

Public names, which the package imports on first use, become members of `xmc_keras`.
Examples become blocks of code, and names in backticks links.
"""

import re
import textwrap

import griffe

from docs.hooks.public_names import homes, with_links

TAG = re.compile(r"(`[^`]*`)|<(?=[A-Za-z/])")  # `<s>` outside code


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
    """A docstring whose sections, examples and links are as mkdocstrings wants them."""
    lines, in_returns = [], False
    for part in re.split(r"\n\s*\n", docstring):
        if not part.startswith(">>>"):
            part = TAG.sub(lambda match: match[1] or "&lt;", part)
        head, *rest = part.splitlines()
        in_returns = head == "Returns:" or (in_returns and head.startswith("    "))
        if head == "Example:" and not rest:
            lines += ["**Example:**"]
        elif head.startswith(">>>"):
            lines += ["```pycon", *part.splitlines(), "```"]
        elif head.startswith("Reference:"):
            rest = [line.strip() for line in rest]
            text = " ".join([head.removeprefix("Reference:"), *rest]).strip()
            lines += [f"**Reference:** {with_links(text, own_name)}"]
        elif in_returns:  # paragraphs, because what is returned has no name
            rest = rest if head == "Returns:" else [head, *rest]
            lines += ["**Returns:**", ""] if head == "Returns:" else []
            text = textwrap.dedent("\n".join(rest))
            lines += with_links(text, own_name).splitlines()
        else:
            if head == "Attributes:":  # Griffe takes the names after "a, " for a type
                rest = [
                    re.sub(
                        r"^ {4}\w+(, \w+)+:", lambda x: x[0].replace(", ", ",\u00a0"), x
                    )
                    for x in rest
                ]
            if head == "Call arguments:":  # a second section of arguments
                head = "Args: Call arguments:"
            lines += with_links("\n".join([head, *rest]), own_name).splitlines()
        lines.append("")
    return "\n".join(lines)
