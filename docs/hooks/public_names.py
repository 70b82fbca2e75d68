"""The public names of the package, read from its source without importing it."""

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "xmc_keras"
# `LightXML`, `fit()` or `xmc_keras.fit`, not within a link.
NAME = re.compile(r"(?<![\[`\w.])`(xmc_keras\.)?(\w+)(\(\))?`(?![`\]])")


def homes():
    """Dictionary from public name to the module of its definition.

    Names of `xmc_keras` are imported on first use, from the table `_HOMES`.
    """
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "_HOMES":
            return ast.literal_eval(node.value)
    raise LookupError("Expected a dictionary _HOMES in xmc_keras/__init__.py.")


def summary(home, name):
    """The first line of a name's docstring; `None` where it has none."""
    path = PACKAGE / home.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(path.read_text("utf-8")).body:
        if getattr(node, "name", None) == name:
            docstring = ast.get_docstring(node)
            return docstring and docstring.partition("\n")[0]
    return None


def folder(home):
    """The part of the package a module is in: `lightxml` for `lightxml.build`."""
    return home.partition(".")[0]


def with_links(text, own_name=None):
    """Text whose public names in backticks are links to their reference.

    A name that is an ordinary word, such as `fit`, has to be written `fit()`.
    """
    known = homes()

    def link(match):
        package, name, call = match.groups()
        ordinary = name.islower() and "_" not in name
        if name not in known or name == own_name:
            return match[0]
        if ordinary and not (package or call):
            return match[0]
        return f"[{match[0]}][xmc_keras.{name}]"

    return NAME.sub(link, text)
