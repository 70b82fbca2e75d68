"""Engines for many machines, from PyPI, on this one."""

import json
import shutil
import subprocess

import pytest

from benchmarks.shared.environments import NotInstalled, make_environment
from tests.helpers.project import PROJECT
from xmc_keras.evaluation.predict_file import predict_file
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.serving.export import export_runs

pytestmark = pytest.mark.large

WORDS = [f"word{i % 20}a word{i % 7}b" for i in range(500)]
# Texts are found again by their content, as Beam does not keep their order.
LINES = [f"{words} {i}".encode() for i, words in enumerate(WORDS)]
LINES[100:100] = [
    b"",
    b"caf\xe9 bad",
    "caf\u00e9 \u65e5\u672c word3a".encode(),
    b"word4b \r",
]
KEYS = {"k": "-k", "threshold": "--threshold"}
GOOD = [line for line in LINES if b"bad" not in line]

TWO = "--", "--direct_running_mode=multi_processing", "--direct_num_workers=2"


@pytest.fixture(scope="module", params=["beam", "spark"])
def engine(request, made_once):
    """Its name, and a function that runs its program as a user does."""
    name = request.param
    if name == "spark" and not shutil.which("java"):
        pytest.skip("Spark needs Java")

    def make(folder):
        requirements = PROJECT / f"export/{name}_requirements.txt"
        try:
            make_environment(folder / "environment", "-r", requirements)
        except NotInstalled as error:
            pytest.skip(f"{name} cannot be installed: {error}")

    python = made_once(name, make) / "environment/bin/python"

    def run(*arguments):
        command = [python, PROJECT / f"export/{name}_predict.py", *arguments]
        command = list(map(str, command))
        return subprocess.run(command, cwd="/", capture_output=True, text=True)

    return name, run


@pytest.fixture(scope="module")
def export(tiny_run, made_once):
    def make(folder):
        export_runs([RunFolder(tiny_run.folder)], folder / "made")

    return made_once("tiny_export", make) / "made"


def read_output(name, output):
    """The answers, in the order of files, and the lines that are none."""
    if name == "beam":
        files = sorted(output.parent.glob("found-*-of-*.jsonl"))
        bad = output.parent.glob("found-bad-lines-*")
    else:
        files = sorted(output.glob("part-*"))
        bad = output.with_name("found.jsonl.bad_lines").glob("part-*")
    lines = "".join(path.read_text("utf-8") for path in files).split("\n")[:-1]
    return list(map(json.loads, lines)), b"".join(path.read_bytes() for path in bad)


@pytest.mark.parametrize("asked", [{}, {"k": 3, "threshold": 0.3}])
def test_answers_are_those_of_predict(engine, export, tiny_run, tmp_path, asked):
    name, run = engine
    more = TWO if name == "beam" else ()
    texts, output = tmp_path / "texts.txt", tmp_path / "found.jsonl"
    texts.write_bytes(b"\n".join(LINES))
    words = [word for key, x in asked.items() for word in (KEYS[key], x)]
    done = run(export, "--input", texts, "--output", output, *words)
    assert done.returncode == 0, done.stderr
    assert "503 texts answered in" in done.stderr and "1 bad lines left" in done.stderr
    found, bad = read_output(name, output)
    assert bad == b"caf\xe9 bad\n"
    one = tmp_path / "one.jsonl"
    predict_file(RunFolder(tiny_run.folder), texts, one, skip_bad_lines=True, **asked)
    expected = list(map(json.loads, one.read_text("utf-8").split("\n")[:-1]))
    if name == "beam":
        found, expected = (
            sorted(x, key=lambda a: a["text"]) for x in (found, expected)
        )
    assert len(found) == len(expected) == len(GOOD)
    for ours, theirs in zip(found, expected):
        assert ours["text"] == theirs["text"]
        assert ours["labels"] == theirs["labels"]
        assert ours["scores"] == pytest.approx(theirs["scores"], abs=2e-6)
    again = run(export, "--input", texts, "--output", output, *words)
    assert again.returncode == 2
    assert "Expected an output that does not exist. Received: a f" in again.stderr
    assert "Replace it with --overwrite, or" in again.stderr
    texts.write_bytes(b"word3a word3b\n")
    done = run(export, "--input", texts, "--output", output, "--overwrite", *more)
    assert done.returncode == 0, done.stderr
    assert [answer["text"] for answer in read_output(name, output)[0]] == [
        "word3a word3b"
    ]


def test_bad_input(engine, export, tmp_path):
    name, run = engine
    texts, output = tmp_path / "texts.txt", tmp_path / "found.jsonl"
    texts.write_bytes(b"word3a\n")
    shutil.copytree(export, tmp_path / "damaged")
    for path in (tmp_path / "damaged/1/variables").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    for folder, source, arguments, message in (
        (
            tmp_path / "none",
            texts,
            (),
            "Expected a folder with the versions of a Saved",
        ),
        (
            tmp_path / "damaged",
            texts,
            (),
            "Expected a SavedModel that can be loaded. R",
        ),
        (export, texts, ("--titles",), "one without. Leave out --titles."),
        (export, tmp_path / "none.txt", (), "Expected a text file. Received: "),
    ):
        done = run(folder, "--input", source, "--output", output, *arguments)
        assert done.returncode == 2, done.stderr
        *_, last = done.stderr.splitlines()
        assert last.startswith("error: ") and message in last
        assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "texts.txt"]
