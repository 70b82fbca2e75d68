"""Training with several processes of one machine."""

import subprocess
import sys

import pytest

from tests.helpers.fit_runs import history, metrics
from tests.helpers.programs import run_xmc
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.launch_workers import launch_workers

SYSTEMS = {
    "lightxml": [],
    "static": ["negatives=static", "recall_epochs=1", "swa_start=null"],
    "one_vs_all": ["system=one_vs_all", "head_start=random"],
}
LIGHTDXML = """
system: lightdxml
data: {data}
encoder: {encoder}
max_tokens: 24
num_feature_layers: 2
pooling: mean
validation_documents: 40
epochs: 4
refresh: 2
proxy_epochs: 2
num_neighbors: 12
num_predictions: 10
batch_size: 16
learning_rate: 0.005
"""


def test_all_end_when_one_fails():
    code = "import os, sys, time; i = 'index\": 1' in os.environ['TF_CONFIG']; "
    code += "print('error: no more bread' if i else ''); "
    code += "sys.exit(3) if i else sys.stdin.read()"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xmc_keras.training.launch_workers.GRACE", 1)
        with pytest.raises(BadInput, match="worker 1 ended with status 3 .no more"):
            launch_workers([sys.executable, "-c", code], 2)


def test_a_killed_worker_is_named():
    code = "import os, sys; 'index\": 1' in os.environ['TF_CONFIG'] and "
    code += "os.kill(os.getpid(), 9); sys.stdin.read()"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xmc_keras.training.launch_workers.GRACE", 1)
        with pytest.raises(BadInput, match="worker 1 was killed by signal 9"):
            launch_workers([sys.executable, "-c", code], 2)


def test_bad_arguments():
    for arguments, said in (
        (["--workers", "0", "x"], "at least 1"),
        (["--workers", "1"], "Expected a recipe"),
    ):
        done = run_xmc("launch", *arguments)
        assert done.returncode == 2 and said in done.stderr


def test_arguments_that_are_wrong():
    done = run_xmc("launch", "--workers", "2", "nowhere.yaml")
    assert done.returncode == 2
    # By the chief, and by the launcher where another worker was faster.
    assert 1 <= done.stderr.count("error: ") <= 2
    assert "nowhere.yaml" in done.stderr and "--resume" not in done.stderr


@pytest.mark.large
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_transformer(recipe, tmp_path, system):
    settings = sum((["--set", each] for each in SYSTEMS[system]), [])
    if system == "one_vs_all":
        lines = recipe.read_text().splitlines()
        drop = ("max_leaf", "top_k", "bottleneck_dim")
        recipe.write_text("\n".join(x for x in lines if not x.startswith(drop)))
    run = tmp_path / "runs/two"
    done = run_xmc("launch", "--workers", "2", recipe, "--run", run, *settings)
    assert done.returncode == 0, done.stderr[-4000:]
    alone = tmp_path / "runs/one"
    done = run_xmc("fit", recipe, "--run", alone, *settings)
    assert done.returncode == 0, done.stderr[-4000:]
    assert len(history(run)) == len(history(alone)) == 3
    assert metrics(run)["P@1"] == pytest.approx(metrics(alone)["P@1"], abs=12)


@pytest.mark.large
def test_lightdxml(data, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(LIGHTDXML.format(data=data, encoder=data / "encoder"))
    found = []
    for command in (["launch", "--workers", "2"], ["fit"]):
        run = tmp_path / "runs" / command[0]
        done = run_xmc(*command, recipe, "--run", run)
        assert done.returncode == 0, done.stderr[-4000:]
        found.append(metrics(run)["P@1"])
    assert found[0] == pytest.approx(found[1], abs=12)


@pytest.mark.large
def test_devices_of_one_process(recipe, tmp_path):
    run = tmp_path / "run"
    done = run_xmc("fit", recipe, "--run", run, "--set", "distribute=mirrored")
    assert done.returncode == 0, done.stderr[-4000:]
    found = metrics(run)
    assert found["P@1"] > found["baselines"]["most popular labels"]["P@1"]
    done = run_xmc("predict", run, input="word1a word1b\n")
    assert done.returncode == 0 and "label01" in done.stdout


@pytest.mark.large
def test_workers_end_with_the_program_that_started_them(recipe, tmp_path):
    from tests.helpers.project import PROJECT

    command = [sys.executable, "-m", "xmc_keras.cli.program", "launch", "--workers"]
    command += ["2", str(recipe), "--run", str(tmp_path / "run")]
    launcher = subprocess.Popen(
        command, cwd=PROJECT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    launcher.stderr.readline()  # of the chief
    launcher.kill()
    # The pipe closes when the last worker that writes to it has gone.
    assert launcher.communicate(timeout=60) is not None
