import os
import re
import subprocess
import sys

import pytest

from tests.helpers.golden_model import write_golden_model
from tests.helpers.programs import start
from tests.helpers.project import PROJECT

COMPILE = """
import tensorflow as tf
import xmc_keras.ops.xla
tf.function(lambda x: x + 1, jit_compile=True)(tf.ones(2))
"""
LOAD = """
import sys
from xmc_keras.serving.server.load_version import load_version
load_version(sys.argv[1])
"""
NOTICE = "Compiled cluster using XLA"


def run(*arguments, code=COMPILE, **environment):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **environment}
    environment = {k: v for k, v in environment.items() if v is not None}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0
    return done.stderr


@pytest.mark.large
def test_the_level_counts_for_xla():
    assert run(TF_CPP_MIN_LOG_LEVEL="3") == ""


def test_the_level_counts_for_a_served_version(tmp_path):
    write_golden_model(tmp_path / "1")
    said = run(tmp_path / "1", code=LOAD, TF_CPP_MIN_LOG_LEVEL="3")
    assert not re.search(r"^[IWE]\d{4} |InitializeLog", said, re.MULTILINE), said


@pytest.mark.large
@pytest.mark.parametrize("level", [None, "0"])
def test_the_library_silences_nothing_by_itself(level):
    assert NOTICE in run(TF_CPP_MIN_LOG_LEVEL=level)


def check_lines(text):
    """Every line is one of the log, and has a time."""
    lines = text.splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(r"\d\d:\d\d:\d\d \S.*", line), line


def test_training_writes_only_its_own_lines(tiny_run):
    check_lines(tiny_run.stderr)


@pytest.mark.large
@pytest.mark.parametrize(
    "name, arguments",
    [
        ("evaluate", []),
        ("predict", ["word1a", "word2b"]),
        ("report", ["--output", "{}/report.html"]),
    ],
)
def test_programs_write_only_their_own_lines(name, arguments, tiny_run, tmp_path):
    arguments = [argument.format(tmp_path) for argument in arguments]
    process = start(name, tiny_run.folder, *arguments)
    _, stderr = process.communicate()
    assert process.returncode == 0
    check_lines(stderr.decode())
