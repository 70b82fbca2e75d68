"""The code in README.md and docs/: Python that runs, commands and recipes that fit.

Blocks of `python` of a page run one after the other, in a folder with small data. What
a page assumes and does not show stands in a comment:

    <!-- setup
    texts, labels = ...
    -->

Code that needs a download or a GPU is marked as `text`.
"""

import argparse
import importlib
import re
import shlex

import pytest

from tests.helpers.project import PROJECT
from tests.helpers.tiny_data import write_part
from xmc_keras.cli.program import COMMANDS, find_module
from xmc_keras.config.config_file import load_config, override_config
from xmc_keras.training.search.search_space import SearchSpace

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
SETUP = re.compile(r"^<!-- setup\n(.*?)^-->$", re.M | re.S)
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)

TRAINING = ("coming_from", "prediction")  # pages whose code trains in a run or often


def blocks(page, *languages):
    """`(line, code)` of the blocks of a page in some languages."""
    text = page.read_text("utf-8")
    found = [(m.start(2), m[2]) for m in FENCED.finditer(text) if m[1] in languages]
    if "python" in languages:
        found += [(m.start(1), m[1]) for m in SETUP.finditer(text)]
    return [(text.count("\n", 0, start) + 1, code) for start, code in sorted(found)]


def name(page):
    return page.relative_to(PROJECT).as_posix()


def commands():
    """The words of all commands of `xmc`, of all pages."""
    for page in PAGES:
        for line, code in blocks(page, "bash", "console"):
            code = code.replace("\\\n", " ")
            for command in re.findall(r"^(?:\$ )?(xmc .*)$", code, re.M):
                words = shlex.split(command, comments=True)
                # What the shell does with input and output.
                ends = [i for i, word in enumerate(words) if word in ("<", ">", "|")]
                words = words[1 : min(ends, default=None)]
                yield pytest.param(words, id=f"{name(page)}:{line} {' '.join(words)}")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of small data to be in, with the data of the project."""
    (tmp_path / "mydata").mkdir()
    write_part(tmp_path / "mydata", "train", 400, seed=1)
    write_part(tmp_path / "mydata", "test", 60, seed=2)
    (tmp_path / "data").symlink_to(PROJECT / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "page",
    [
        # They train models, one for each library that people come from.
        pytest.param(p, marks=pytest.mark.large if p.stem in TRAINING else ())
        for p in PAGES
        if blocks(p, "python")
    ],
    ids=name,
)
def test_python_runs(page, folder):
    namespace = {"__name__": "page"}
    for line, code in blocks(page, "python"):
        # So that errors name the line of the page.
        code = compile("\n" * (line - 1) + code, name(page), "exec")
        exec(code, namespace)


class Parsed(Exception):
    """Raised where a program would begin to work."""


@pytest.fixture
def parse(monkeypatch):
    """Parses the words of a command as `xmc` does, without running it."""

    def stop_after(method):
        def parse_and_stop(self, args=None, namespace=None):
            raise Parsed(method(self, args, namespace))

        return parse_and_stop

    for method in ("parse_args", "parse_intermixed_args"):
        original = getattr(argparse.ArgumentParser, method)
        monkeypatch.setattr(argparse.ArgumentParser, method, stop_after(original))

    def parse(command, *words):
        with pytest.raises(Parsed) as parsed:
            importlib.import_module(find_module(command)).main(list(words))
        return parsed.value.args[0]

    return parse


@pytest.mark.parametrize("words", list(commands()))
def test_commands_parse(words, parse, monkeypatch):
    assert words and words[0] in COMMANDS
    arguments = parse(*words)
    recipes = getattr(arguments, "configs", None) or [getattr(arguments, "config", "")]
    monkeypatch.chdir(PROJECT)
    for recipe in filter(None, recipes):
        searched = SearchSpace(getattr(arguments, "search", None) or ())
        if recipe == "mydata" and words[0] in ("fit", "sweep"):
            # A folder of the reader's own.
            keys = {"system": "lightdxml", "encoder": "words", "label_words": 9}
            searched.check(override_config(keys | {"linear": True}, arguments.set))
            continue
        # A recipe of the reader's own stands for any.
        ours = recipe.endswith(".yaml") and not (PROJECT / recipe).exists()
        searched.check(load_config("quickstart" if ours else recipe, arguments.set))


@pytest.mark.parametrize(
    "page, line, code",
    [(page, *block) for page in PAGES for block in blocks(page, "yaml")],
    ids=lambda value: name(value) if hasattr(value, "suffix") else None,
)
def test_recipes_load(page, line, code, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(code)
    complete = "encoder:" in code or "base:" in code
    required = [] if complete else ["encoder=minilm"]
    load_config(path, required)
