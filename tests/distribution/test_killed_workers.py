"""SIGKILL of a worker: the others end at once, and resumed runs end the same."""

import random
import time

import pytest

from tests.helpers.fit_runs import metrics
from tests.helpers.programs import run_xmc
from tests.helpers.worker_processes import FIT, WorkerProcesses

pytestmark = pytest.mark.large
DISTRIBUTED = ("--set", "distribute=multi_worker")
# One that is killed before all have met has not come.
SOON = {"XMC_START_SECONDS": "40"}
LONGEST = 60  # seconds until a worker notices that another has gone
NAMES = ("P@1", "P@3", "P@5", "PSP@5", "validation", "best_epoch")


def results(run):
    found = metrics(run)
    return {name: found[name] for name in NAMES}


def test_each_resumes_to_the_same_end(recipe, tmp_path):
    whole, killed = tmp_path / "whole/run", tmp_path / "killed/run"
    begun = time.monotonic()
    done = run_xmc("launch", "--workers", "2", recipe, "--run", whole)
    assert done.returncode == 0, done.stderr[-4000:]
    taken = time.monotonic() - begun
    found = metrics(whole)  # it learns
    assert found["P@1"] > found["baselines"]["most popular labels"]["P@1"]
    arguments = [*FIT, recipe, "--run", killed, *DISTRIBUTED]
    rng = random.Random(0)
    for victim in 5 * [0, 1]:
        flags = ["--resume"] if killed.exists() else []
        if (killed / "metrics.json").exists():
            flags = ["--overwrite"]
        with WorkerProcesses(*arguments, *flags, environment=SOON) as workers:
            time.sleep(rng.uniform(0.2, 1) * taken)
            workers.processes[victim].kill()
            left = workers.processes[1 - victim]
            left.wait(LONGEST)
            output = workers.output(1 - victim)
        # It may just have ended, or not have started. While TensorFlow connects the
        # workers, it can only be killed.
        connecting = "error: Expected all workers to connect" in output
        assert left.returncode in ((-9,) if connecting else (0, 2)), output[-4000:]
        assert "Traceback" not in output, output[-4000:]
    for _ in range(2):  # the second finds a finished run
        done = run_xmc("launch", "--workers", "2", recipe, "--run", killed, "--resume")
        assert done.returncode == 0, done.stderr[-4000:]
    assert results(killed) == results(whole)


def test_another_number_of_workers_goes_on(recipe, tmp_path):
    """A run of two workers that is interrupted goes on in one process, and back."""
    whole, moved = tmp_path / "whole/run", tmp_path / "moved/run"
    done = run_xmc("launch", "--workers", "2", recipe, "--run", whole)
    assert done.returncode == 0, done.stderr[-4000:]
    arguments = [*FIT, recipe, "--run", moved, *DISTRIBUTED]
    with WorkerProcesses(*arguments) as workers:
        while not (moved / "checkpoint").exists():
            assert workers.processes[0].poll() is None, workers.output(0)[-4000:]
            time.sleep(0.05)
        workers.processes[1].kill()
        workers.processes[0].wait(LONGEST)
    done = run_xmc("fit", recipe, "--run", moved, "--resume")
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Continuing at epoch" in done.stderr
    one, two = results(moved), results(whole)
    # Dropout differs by replica.
    assert one["P@1"] == pytest.approx(two["P@1"], abs=15)
