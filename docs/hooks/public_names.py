"""The public names of the package, read from its source without importing it."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "xmc_keras"


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
