"""Runs with shard_labels: killed, resumed by others, and an ordinary model at last."""

import time

import keras
import pytest

from tests.helpers.fit_runs import metrics
from tests.helpers.programs import run_xmc
from tests.helpers.worker_processes import FIT, WorkerProcesses, run_workers

pytestmark = pytest.mark.large
SHARDED = ("--set", "distribute=multi_worker", "--set", "shard_labels=true")
NAMES = ("P@1", "P@3", "P@5", "PSP@5", "validation", "best_epoch")


def results(run):
    found = metrics(run)
    return {name: found[name] for name in NAMES}


def interrupt(arguments, run):
    """Starts two workers and kills one after the first checkpoint."""
    with WorkerProcesses(*arguments) as workers:
        while not (run / "checkpoint").exists():
            assert workers.processes[0].poll() is None, workers.output(0)[-4000:]
            time.sleep(0.05)
        workers.processes[1].kill()
        workers.processes[0].wait(60)


def resume(arguments, count):
    for status, output in run_workers(*arguments, "--resume", count=count):
        assert status == 0, output[-4000:]
        assert "Continuing at epoch" in output


@pytest.mark.parametrize("workers", [2, 3])
def test_an_interrupted_run_goes_on(recipe, tmp_path, workers):
    whole, killed = tmp_path / "whole/run", tmp_path / "killed/run"
    arguments = [*FIT, recipe, *SHARDED, "--set", "batch_size=12", "--run"]
    for status, output in run_workers(*arguments, whole):
        assert status == 0, output[-4000:]
    interrupt([*arguments, killed], killed)
    resume([*arguments, killed], workers)
    if workers == 2:
        assert results(killed) == results(whole)
    # Dropout differs by replica.
    assert metrics(killed)["P@1"] == pytest.approx(metrics(whole)["P@1"], abs=15)


def test_the_model_is_an_ordinary_one(recipe, tmp_path):
    run = tmp_path / "runs/one"
    arguments = [*FIT, recipe, *SHARDED, "--run", run]
    for status, output in run_workers(*arguments):
        assert status == 0, output[-4000:]
    from xmc_keras import RunFolder

    model = RunFolder(run).load_model()
    table = model.ranker.label_embeddings
    assert tuple(table.shape)[0] == model.generator.num_rows
    assert len(set(keras.ops.convert_to_numpy(table)[:, 0])) == table.shape[0]
    done = run_xmc("evaluate", run)
    assert done.returncode == 0, done.stderr
    assert f"{metrics(run)['P@1']:.2f}" in done.stdout
