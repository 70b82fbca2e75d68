"""Replicas that share each batch train as one process does."""

import json
import subprocess
import sys

import pytest

from tests.helpers.equal_workers import CASES
from tests.helpers.project import PROJECT
from tests.helpers.worker_processes import run_workers

PROGRAM = ("-m", "tests.helpers.equal_workers")
ROUNDED = {"bfloat16", "one_vs_all bfloat16"}
EXACT = sorted(set(CASES) - ROUNDED)


def check(found):
    """Asserts that weights and moments are equal, and logs where batches are whole."""
    assert found
    for name, differences in found.items():
        assert differences["weights"] < 1e-5, (name, differences)
        assert differences["optimizer"] < 1e-5, (name, differences)
        # Keras logs the mean over batches, of which the last has more weight.
        logs = 0.05 if CASES[name][1].get("documents") else 1e-4
        assert differences["logs"] < logs, (name, differences)


def of_workers(*names):
    results = run_workers(*PROGRAM, "multi_worker", *names)
    for status, output in results:
        assert status == 0, output[-4000:]
    first, second = (json.loads(output.splitlines()[-1]) for _, output in results)
    assert first.keys() == second.keys() == set(names)
    return first


def of_devices(*names):
    done = subprocess.run(
        [sys.executable, *PROGRAM, "mirrored", *names],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_two_workers():
    check(of_workers("one left"))


@pytest.mark.large
def test_two_workers_train_all_systems():
    check(of_workers(*EXACT))


@pytest.mark.large
def test_two_devices():
    check(of_devices(*EXACT))


@pytest.mark.large
@pytest.mark.parametrize("run", [of_workers, of_devices])
def test_bfloat16(run):
    # A table of bfloat16 is rounded at random: a difference is one step between
    # numbers of its size, 2 ** -11 at 0.1.
    found = run("bfloat16", "one_vs_all bfloat16")
    for differences in found.values():
        assert differences["weights"] < 5e-3
        assert differences["logs"] < 5e-2


@pytest.mark.large
def test_replicas_draw_their_own_dropout():
    results = run_workers(*PROGRAM, "multi_worker", "seeds")
    found = [json.loads(output.splitlines()[-1])["seeds"] for _, output in results]
    for first, second in (sum(found, []), of_devices("seeds")["seeds"]):
        assert first and len(first) == len(second)
        assert all(a != b for a, b in zip(first, second))
