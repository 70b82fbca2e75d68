"""Trainings with a sharded label table, in two processes and with two devices."""

import json
import subprocess
import sys

import pytest

from tests.helpers.project import PROJECT
from tests.helpers.worker_processes import run_workers

MODULE = "tests.helpers.sharded_training"
CASES = ["", "partial", "sgd", "momentum", "dense", "clip", "clip_each", "weights"]
LIGHTXML = [f"lightxml-{case}" for case in [*CASES, "levels", "bfloat16"]]
# Its table is neither clipped, nor has it several gradients a step.
ONE_VS_ALL = [f"one_vs_all-{case}" for case in [*CASES, "few", "bfloat16"]]


def check(output, names):
    """Differences after 12 steps, of which two have fewer documents than replicas."""
    found = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [case.pop("case") for case in found] == list(names)
    for name, case in zip(names, found):
        rounded = name.endswith("bfloat16")  # bfloat16 has three digits
        assert case.pop("other sharded ids", 0) <= (5 if rounded else 0), name
        assert case.pop("other whole ids", 0) <= (5 if rounded else 0), name
        for part, difference in case.items():
            assert difference < (1e-2 if rounded else 2e-6), (name, part, case)


def check_workers(*names):
    for output in outputs(2, names):
        check(output, names)


def outputs(count, names):
    """What workers have printed."""
    results = run_workers("-m", MODULE, "multi_worker", *names, count=count)
    for status, output in results:
        assert status == 0, output[-4000:]
    return [output for _, output in results]


@pytest.mark.large
def test_two_workers_train_like_one():
    check_workers("lightxml-clip")


@pytest.mark.large
def test_two_workers_train_every_lightxml_like_one():
    check_workers("tables", *LIGHTXML)


@pytest.mark.large
def test_two_workers_train_every_one_vs_all_like_one():
    check_workers(*ONE_VS_ALL)


@pytest.mark.large
def test_three_workers_train_like_one():
    names = "lightxml", "one_vs_all"
    for output in outputs(3, names):
        check(output, names)


@pytest.mark.large
@pytest.mark.parametrize(
    "names", [["tables", *LIGHTXML], ONE_VS_ALL], ids=["lightxml", "one_vs_all"]
)
def test_two_devices_train_like_one(names):
    command = [sys.executable, "-m", MODULE, "mirrored", *names]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-4000:]
    check(run.stdout, names)
