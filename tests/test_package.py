import hashlib
import itertools
import lzma
import os
import re
import runpy
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.helpers.project import PROJECT
from xmc_keras import __version__
from xmc_keras.encoders.pretrained import find_minilm

ROOT = PROJECT
PYTHONS = ["3.11", "3.12", "3.13"]


@pytest.fixture
def metadata(monkeypatch):
    """What setup.py hands to setuptools."""
    found = {}
    monkeypatch.setattr("setuptools.setup", lambda **kwargs: found.update(kwargs))
    runpy.run_path(str(ROOT / "setup.py"))
    return found


def pins(python):
    """Name -> version of constraints.txt for one version of Python."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    found = {}
    for line in lines:
        if line.startswith("#"):
            continue
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        marker = requirement.marker
        if marker is None or marker.evaluate({"python_version": python}):
            assert requirement.name not in found
            found[requirement.name] = Version(specifier.version)
    return found


def test_metadata(metadata):
    assert (metadata["name"], metadata["version"]) == ("xmc-keras", __version__)
    assert metadata["license"] == "Apache-2.0"
    license = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in license and "Version 2.0, January 2004" in license
    folders = (ROOT / "xmc_keras").rglob("__init__.py")
    names = {".".join(path.parent.relative_to(ROOT).parts) for path in folders}
    assert set(metadata["packages"]) == {*names, "xmc_keras.recipes"}


def test_every_file_of_the_package_is_in_the_wheel(metadata):
    """Those that are no modules are package data."""
    inside = {"xmc_keras.recipes": ROOT / "configs"}
    data = {
        inside.get(package, ROOT.joinpath(*package.split("."))) / pattern
        for package, patterns in metadata["package_data"].items()
        for pattern in patterns
    }
    listed = {
        path
        for pattern in data
        for path in ROOT.glob(str(pattern)[len(str(ROOT)) + 1 :])
    }
    files = [*(ROOT / "xmc_keras").rglob("*"), *(ROOT / "configs").rglob("*")]
    files = {path for path in files if path.is_file() and path.suffix != ".pyc"}
    assert {path for path in files if path.suffix != ".py"} == listed


def test_python_bounds(metadata):
    bounds = SpecifierSet(metadata["python_requires"])
    minors = [f"3.{minor}" for minor in range(8, 17) if f"3.{minor}.1" in bounds]
    assert minors == PYTHONS


def test_every_requirement_has_both_bounds(metadata):
    extras = metadata["extras_require"].values()
    for text in itertools.chain(metadata["install_requires"], *extras):
        operators = {specifier.operator for specifier in Requirement(text).specifier}
        assert {">=", "<"} <= operators, text


@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_pin_every_requirement_within_its_bounds(metadata, python):
    pinned = pins(python)
    extras = metadata["extras_require"].values()
    for text in itertools.chain(metadata["install_requires"], *extras):
        requirement = Requirement(text)
        assert pinned[requirement.name] in requirement.specifier, text


@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_pin_one_minor_version_of_tensorflow(python):
    pinned = pins(python)
    assert pinned["tensorflow"].release[:2] == (2, 20)
    assert pinned["tensorflow-text"].release[:2] == (2, 20)


@pytest.mark.parametrize(
    "version, fits",
    [("2.20.0", False), ("2.20.1", True), ("2.21.0", False), ("2.21.1", True)],
)
def test_tensorflow_text_that_does_not_load_is_left_out(metadata, version, fits):
    requirements = map(Requirement, metadata["install_requires"])
    text = next(found for found in requirements if found.name == "tensorflow-text")
    assert (version in text.specifier) == fits


def test_import_is_light():
    heavy = "{'tensorflow', 'keras', 'keras_nlp', 'sklearn', 'matplotlib'}"
    code = f"import sys, xmc_keras; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert (run.stdout, run.returncode) == ("[]\n", 0), run.stderr


def test_ci_runs_make_test():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text("utf-8").splitlines()
    assert lines[:2] == ["#!/usr/bin/env bash", "set -euo pipefail"]
    assert lines[-1] == "make test"


def make(*arguments):
    environment = {key: value for key, value in os.environ.items() if key[:4] != "MAKE"}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("target", ["test", "quickstart"])
def test_make_refuses_other_pythons(tmp_path, target):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 3.9\n")
    python.chmod(0o755)
    run = make(f"PYTHON={python}", target)
    assert run.returncode == 2
    assert "Expected Python 3.11, 3.12 or 3.13. Received: " in run.stderr
    assert 'which is "3.9". Name one of them, for example: make PYTHON=' in run.stderr
    assert not (ROOT / ".venv" / "ready-3.9").exists()


def test_make_lists_its_targets():
    assert re.findall(r"^make (\S+)", make().stdout, re.M) == [
        "test",
        "test-large",
        "quickstart",
        "docs",
    ]


def test_make_checks_the_weights_of_minilm():
    expected = re.search(
        r"^MINILM_SHA256 := ([0-9a-f]{64})$", (ROOT / "Makefile").read_text(), re.M
    )[1]
    weights = (find_minilm() / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == expected


def test_debian24k_is_what_its_readme_says():
    folder = ROOT / "data" / "debian24k"
    readme = (folder / "README.txt").read_text("utf-8")
    labels = {}
    for part in ("train", "test"):
        with lzma.open(folder / f"{part}_texts.txt.xz", "rt", encoding="utf-8") as file:
            num_texts = sum(1 for _ in file)
        with lzma.open(
            folder / f"{part}_labels.txt.xz", "rt", encoding="utf-8"
        ) as file:
            labels[part] = [line.split() for line in file]
        assert len(labels[part]) == num_texts
        assert f"{part} {num_texts:,} documents" in readme
    known = {name for names in labels["train"] for name in names}
    assert f"{len(known):,} labels" in readme
    assert all(name in known for names in labels["test"] for name in names)
