"""`xmc sweep --search`: its arguments, processes, interruptions and output."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers.fit_runs import history, metrics
from tests.helpers.programs import start
from tests.helpers.tiny_data import write_words_recipe
from xmc_keras.config.config_file import load_config
from xmc_keras.training.search.trial_study import TrialStudy

RATE = ("--search", "learning_rate=1e-3..1e-1")


@pytest.fixture
def recipe(tmp_path, tiny_data):
    """Path of a LightDXML that learns the tiny data in a second an epoch."""
    return write_words_recipe(
        tmp_path, tiny_data, epochs=2, proxy_epochs=0, num_neighbors=8, beta=1
    )


@pytest.fixture
def refused(call, tmp_path):
    """Calls a search that must end with one sentence, and leave nothing."""

    def refused(*arguments, runs=tmp_path / "runs"):
        result = call("sweep", *arguments, "--runs", runs, tensorflow=False)
        assert (result.status, result.stdout) == (2, "")
        *log, error = result.stderr.splitlines()
        assert error.startswith("error: ")
        assert not (tmp_path / "runs").exists()
        return error

    return refused


def test_bad_input(refused, recipe, tiny_data, tmp_path):
    assert "key=values, with a range" in refused(recipe, "--search", "epochs")
    assert "epochs=0: Expected epochs" in refused(recipe, "--search", "epochs=0..4")
    assert "xmc fit --help lists" in refused(recipe, "--search", "epcohs=1,2")
    error = refused(recipe, "--search", "label_words=0,9", "--search", "max_tokens=2,9")
    assert "setting max_tokens=2: " in error
    error = refused(recipe, "--search", "linear=true,false")
    assert "error: search linear=true: Expected label_words with linear" in error
    error = refused(recipe, recipe, *RATE)
    assert "Expected one recipe or folder with --search" in error
    assert "Received: --seeds." in refused(recipe, *RATE, "--seeds", 2)
    assert "--trials to be at least 1" in refused(recipe, *RATE, "--trials", 0)
    assert "--trials with --search" in refused(recipe, "--trials", 5)
    assert "Expected a config file" in refused(tmp_path / "none.yaml", *RATE)
    error = refused(recipe, *RATE, "--set", f"data={tmp_path / 'none'}")
    assert "train_texts.txt" in error
    assert "folder of data" in refused(recipe, *RATE, "--set", "data=null")
    (tmp_path / "empty").mkdir()
    assert "train_texts.txt" in refused(tmp_path / "empty", *RATE)
    assert "a folder for the runs of a sweep" in refused(recipe, *RATE, runs=recipe)
    error = refused(recipe, *RATE, runs=tmp_path)
    assert "Expected an empty folder, or that of a search." in error
    error = refused(tiny_data, "--search", "max_leaf=1,2")
    assert "search max_leaf=1: Expected keys of lightdxml" in error


def test_without_optuna(refused, recipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    error = refused(recipe, *RATE)
    assert error == (
        "error: Expected the package optuna. Received: no optuna. "
        "Run: pip install 'xmc-keras[search]'"
    )


@pytest.mark.large
def test_a_search_from_a_folder_of_data(call, tiny_data, tmp_path, monkeypatch):
    """With real processes, as a user runs it: and then the same again."""
    monkeypatch.chdir(tmp_path)
    data = shutil.copytree(tiny_data, tmp_path / "my data")
    arguments = ["sweep", "my data", "--search", "batch_size=8,64", "--trials", 9]
    arguments += ["--set", "epochs=1", "--set", "linear=false"]
    result = call(*arguments, tensorflow=False)
    assert result.status == 0, result.stderr
    folder = tmp_path / "runs/my data-search"
    table, _, best = result.stdout.rpartition("\n\n")
    assert (folder / "sweep.md").read_text() == f"{table}\n"
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert rows[0][:3] == ["trial", "batch_size", "P@1"]
    assert sorted(row[1] for row in rows[2:]) == ["64", "8"]
    found = {row[0]: metrics(folder / row[0])["validation"] for row in rows[2:]}
    values = [found[row[0]]["P@5"] for row in rows[2:]]
    assert values == sorted(values, reverse=True)
    assert [row[4] for row in rows[2:]] == [f"{value:.2f}" for value in values]

    # The last line is a command, and the recipe says the same.
    words = shlex.split(best.removeprefix("Best: "))
    expected = ["--set", "epochs=1", "--set", "linear=false", "--set"]
    assert words == ["xmc", "fit", "my data", *expected, f"batch_size={rows[2][1]}"]
    recipe = load_config(folder / "best.yaml")
    assert (recipe.batch_size, recipe.data) == (int(rows[2][1]), "my data")
    assert recipe == load_config(folder / rows[2][0] / "config.yaml", resolved=True)
    assert json.loads((folder / "sweep.json").read_text())["failed"] == []

    before = {path: path.stat().st_mtime_ns for path in folder.glob("trial-*/*")}
    again = call(*arguments, tensorflow=False)
    assert (again.status, again.stdout) == (0, result.stdout)
    assert {path: path.stat().st_mtime_ns for path in before} == before

    def other(*change):
        result = call(*arguments, *change, tensorflow=False)
        assert (result.status, result.stdout) == (2, "")
        return result.stderr.splitlines()[-1]

    error = other("--search", "learning_rate=1e-3..1e-1")
    assert "learning_rate was not searched, is 0.001..0.1." in error
    assert error.endswith("Choose another with --runs.")
    assert "settings were epochs=1 linear=false, are" in other("--set", "epochs=2")
    plain = ["sweep", folder / "best.yaml", "--runs", folder]
    assert "Received: that of a search." in call(*plain, tensorflow=False).stderr
    with open(data / "train_texts.txt", "a") as file:
        file.write("another\n")
    with open(data / "train_labels.txt", "a") as file:
        file.write("label00\n")
    assert "Received: other texts or labels." in other()
    assert (folder / "sweep.md").read_text() == f"{table}\n"


def wait_for(found, process):
    until = time.monotonic() + 300
    while not found():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)


def child_of(process):
    """The id of the process that trains a trial."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True
    )
    return int(listed.stdout)


def check_ends(pid):
    """Checks that a process ends within half a minute."""
    until = time.monotonic() + 30
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < until:
            os.kill(pid, 0)
            time.sleep(0.05)


@pytest.mark.large
@pytest.mark.parametrize(
    "number, status, said",
    [
        (signal.SIGTERM, 143, b""),
        (signal.SIGINT, 130, b"interrupted\n"),
        (signal.SIGKILL, -9, b""),
    ],
)
def test_an_interrupted_search_is_continued(recipe, tmp_path, number, status, said):
    arguments = [recipe, "--runs", tmp_path / "s", "--trials", 2, *RATE]
    arguments += ["--set", "epochs=30", "--set", "refresh=30"]
    process = start("sweep", *arguments)
    first = tmp_path / "s/trial-0/history.csv"
    wait_for(first.exists, process)
    child = child_of(process)
    os.kill(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == status
    assert stdout == b"" and b"Traceback" not in stderr and stderr.endswith(said)
    check_ends(child)
    if number != signal.SIGKILL:
        assert not list(tmp_path.glob("**/.*.lock"))
    done = len(history(tmp_path / "s/trial-0"))
    assert 1 <= done < 30
    [trial] = TrialStudy(tmp_path / "s").trials
    assert trial.state.name == "RUNNING"

    stdout, stderr = start("sweep", *arguments).communicate()
    # A row of the history may be there before the checkpoint of its epoch.
    continued = re.search(r"Continuing at epoch (\d+),", stderr.decode())
    assert continued and int(continued[1]) in (done, done + 1), stderr.decode()
    assert [trial.state.name for trial in TrialStudy(tmp_path / "s").trials] == [
        "COMPLETE"
    ] * 2
    assert stdout.decode().count("| finished |") == 2
    # As if nothing had happened.
    start("sweep", *arguments, "--runs", tmp_path / "whole").communicate()
    for i in range(2):
        trials = [tmp_path / folder / f"trial-{i}" for folder in ("s", "whole")]
        assert history(trials[0]) == history(trials[1])
        assert metrics(trials[0])["validation"] == metrics(trials[1])["validation"]


@pytest.mark.large
def test_a_terminated_sweep_leaves_no_program(recipe, tmp_path):
    arguments = [recipe, "--runs", tmp_path / "s", "--seeds", 1]
    process = start("sweep", *arguments, "--set", "epochs=30")
    wait_for((tmp_path / "s/words-0/history.csv").exists, process)
    child = child_of(process)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143 and b"Traceback" not in stderr
    check_ends(child)
    assert not (tmp_path / "s/words-0/metrics.json").exists()


@pytest.mark.large
def test_a_killed_trial_ends_alone(recipe, tmp_path):
    arguments = [recipe, "--runs", tmp_path / "s", "--trials", 2, *RATE]
    process = start("sweep", *arguments, "--set", "epochs=8")
    wait_for((tmp_path / "s/trial-0/history.csv").exists, process)
    os.kill(child_of(process), signal.SIGKILL)
    stdout, stderr = process.communicate()
    assert process.returncode == 1 and b"Failed: trial-0" in stderr
    assert stdout.count(b"| finished |") == stdout.count(b"| unfinished |") == 1
    process = start("sweep", *arguments, "--set", "epochs=8")
    stdout, stderr = process.communicate()
    assert process.returncode == 0 and stdout.count(b"| finished |") == 2


@pytest.mark.large
def test_lightxml(tiny_config, tmp_path):
    """A LightXML with SWA: bad rates are pruned or worse than those of the recipe."""
    arguments = [tiny_config, "--runs", tmp_path / "s", "--trials", 7]
    arguments += [
        "--search",
        "head_learning_rate=1e-6..1e-1",
        "--search",
        "top_k=1,2,3",
    ]
    process = start("sweep", *arguments)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr.decode()
    report = json.loads((tmp_path / "s/sweep.json").read_text())
    ended = [row["ended"] for row in report["rows"]]
    assert len(ended) == 7 and set(ended) <= {"finished", "pruned"}
    own = next(row for row in report["rows"] if row["trial"] == "trial-0")
    assert own["values"] == {"head_learning_rate": 0.03, "top_k": 2}
    assert report["best"]["P@5"] >= own["P@5"] > min(r["P@5"] for r in report["rows"])
    for row in report["rows"]:
        models = list((tmp_path / "s" / row["trial"]).glob("*.keras"))
        assert bool(models) == (row["ended"] == "finished")
    # One cache of tokens for all trials.
    assert len(list((tmp_path / "s/cache").iterdir())) <= 3
    best = tmp_path / "s/best.yaml"
    process = start("fit", best, "--run", tmp_path / "best")
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr.decode()
    found = metrics(tmp_path / "best")["validation"]["P@5"]
    assert round(found, 2) == report["best"]["P@5"]
