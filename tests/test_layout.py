"""The layout of the package, as CONTRIBUTING.md describes it."""

import ast
import re
import runpy
import subprocess
import sys
from sys import path as search_path

import pytest

from tests.helpers.project import PROJECT

PACKAGE = PROJECT / "xmc_keras"
MOST = 15  # entries of a folder

# Each folder imports those before it only.
ORDER = [
    *("files", "ops", "text", "labels", "metrics", "optimizers", "data", "encoders"),
    *("recommending", "lightxml", "one_vs_all", "lightdxml", "config", "runs"),
    *("evaluation", "training", "serving", "classifiers", "cli"),
]
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path):
    """Names of the modules that a file imports, also within functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_folders_are_those_of_the_order():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert folders - {"__pycache__"} == set(ORDER)
    text = (PROJECT / "CONTRIBUTING.md").read_text("utf-8")
    table = text.partition("each imports only folders above it")[2].partition("\n\nA ")[
        0
    ]
    named = [name for name in re.findall(r"\w+", table) if name in ORDER]
    assert sorted(set(named), key=named.index)[:3] == ["files", "ops", "text"]
    assert set(named) == set(ORDER)


@pytest.mark.parametrize("folder", ORDER)
def test_imports_run_one_way(folder):
    later = set(ORDER[ORDER.index(folder) + 1 :])
    for path in (PACKAGE / folder).rglob("*.py"):
        for name in imports(path):
            parts = name.split(".")
            assert parts[0] not in ("trainers", "export", "benchmarks", "tests"), path
            if parts[0] == "xmc_keras" and len(parts) > 1:
                assert parts[1] not in later, f"{path} imports {name}"


def test_folders_are_small():
    for folder in [PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())]:
        entries = {path.name for path in folder.iterdir()}
        entries -= {"__init__.py", "__pycache__"}
        assert len(entries) <= (20 if folder == PACKAGE else MOST), folder


def test_only_the_command_line_prints():
    for path in MODULES:
        if "cli" in path.relative_to(PACKAGE).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = isinstance(node, ast.Call) and getattr(node.func, "id", "")
            assert called != "print", f"{path}:{node.lineno}"


def test_no_module_is_found_by_path_tricks():
    """Only the programs of a clone add to the path: they need no installation."""
    line = "sys." + "path"
    for folder in ("xmc_keras", "tests", "benchmarks", "docs"):
        for path in (PROJECT / folder).rglob("*.py"):
            assert line not in path.read_text("utf-8"), path


def test_private_names_of_keras_are_in_one_file():
    private = re.compile(r"keras(_hub|_nlp)?\.src|\._(loss_tracker|compile_metrics)\b")
    private_of_layers = re.compile(r"\._(self_attention|feedforward|inbound_nodes)")
    for path in MODULES:
        if path.name == "keras_internals.py":
            continue
        text = path.read_text("utf-8")
        assert not private.search(text), path
        assert not private_of_layers.search(text), path


def test_what_does_not_wait_for_tensorflow():
    names = "config.config_file data.documents data.splits data.preparing.prepare_data "
    names += "training.fit training.planning.make_plan cli.fit cli.evaluate cli.export "
    names += "cli.serve"
    modules = [f"xmc_keras.{name}" for name in names.split()]
    code = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    assert not {"tensorflow", "keras"} & set(sys.modules), name
"""
    run = subprocess.run(
        [sys.executable, "-c", code, *modules],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("folder", ["trainers", "export"])
def test_programs_of_the_clone_are_thin(folder, monkeypatch, capsys):
    programs = sorted((PROJECT / folder).glob("*.py"))
    assert programs
    for path in programs:
        lines = path.read_text("utf-8").splitlines()
        assert len([line for line in lines if line.strip()]) <= 12, path
        monkeypatch.setattr(sys, "argv", [str(path), "--help"])
        monkeypatch.setattr(sys, "path", searched := [*search_path])
        with pytest.raises(SystemExit, match="0"):
            runpy.run_path(str(path), run_name="__main__")
        assert searched[0] == str(PROJECT)  # it needs no installation
        assert capsys.readouterr().out.startswith("usage: xmc ")
    # As a user calls the last one.
    run = subprocess.run(
        [sys.executable, path, "--help"], cwd="/", capture_output=True, text=True
    )
    assert run.returncode == 0 and run.stdout.startswith("usage: xmc "), run.stderr
