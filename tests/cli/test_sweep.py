"""`xmc sweep`: what is trained, what resumes, what fails, and the table."""

import json
import statistics
import types
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.helpers.project import PROJECT
from xmc_keras.cli.several_runs import sweep
from xmc_keras.config.config_file import load_config, save_config

QUALITY = {"P@1": 50, "P@3": 40, "P@5": 30, "PSP@1": 20, "PSP@3": 15, "PSP@5": 10}
BROKEN = ("broken", 1)
ABLATIONS = sorted((PROJECT / "configs/ablations").glob("*.yaml"))


@pytest.fixture
def configs(tmp_path):
    for name, epochs in (("plain", 1), ("better", 2), ("broken", 3)):
        text = f"data: none\nencoder: none\nepochs: {epochs}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.fixture
def trained(monkeypatch):
    """Commands that would train; each leaves metrics by its seed, one fails."""
    commands = []

    def run(command, **_):
        commands.append(command)
        folder = Path(command[command.index("--run") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        config = load_config(command[4], [word for word in command if "=" in word])
        save_config(config, folder / "config.yaml")
        np.savez(folder / "label_counts.npz")
        if (Path(command[4]).stem, config.seed) == BROKEN:
            return types.SimpleNamespace(returncode=3)
        better = 2.0 * (config.epochs == 2)
        metrics = {key: value + config.seed + better for key, value in QUALITY.items()}
        metrics["train_seconds"] = 100.0 + 10 * config.seed
        (folder / "metrics.json").write_text(json.dumps(metrics))
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(sweep.subprocess, "run", run)
    return commands


def test_table_of_mean_and_deviation(configs, trained, call):
    paths, runs = [configs / "plain.yaml", configs / "better.yaml"], configs / "runs"
    arguments = [*paths, "--seeds", 3, "--runs", runs, "--set", "top_k=7"]
    result = call("sweep", *arguments, tensorflow=False)
    assert result.status == 0, result.stderr
    # Config by config within a seed, and the same settings for all.
    names = [Path(c[c.index("--run") + 1]).name for c in trained]
    assert names == [f"{name}-{i}" for i in range(3) for name in ("plain", "better")]
    assert all("top_k=7" in command for command in trained)
    found = json.loads((runs / "sweep.json").read_text())
    plain, better = found["rows"]
    values = [50.0, 51.0, 52.0]
    assert plain["P@1"]["mean"] == statistics.mean(values)
    assert plain["P@1"]["deviation"] == statistics.stdev(values)
    assert plain["seeds"] == [0, 1, 2] and "vs_first" not in plain["P@1"]
    assert better["PSP@5"] == {"mean": 13.0, "deviation": 1.0, "vs_first": 2.0}
    assert better["train_seconds"] == {"mean": 110.0, "deviation": 10.0}
    assert found["failed"] == [] and found["runs"]["plain"]["2"]["P@1"] == 52.0
    table = (runs / "sweep.md").read_text()
    assert table == result.stdout
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert len({len(row) for row in rows}) == 1
    assert rows[2][:3] == ["plain", "3", "51.00 ± 1.00"]
    assert rows[3][-3:] == ["+2.00", "+2.00", "110 ± 10"]


def test_validation_of_the_best_epoch(configs, trained, call, caplog):
    runs = configs / "runs"
    arguments = [configs / "plain.yaml", configs / "better.yaml", "--runs", runs]
    arguments += ["--seeds", 1, "--validation"]
    result = call("sweep", *arguments, tensorflow=False)
    assert result.status == 1 and caplog.text.count("history.csv: Expected") == 2
    head = "epoch," + ",".join(f"val_precision_at_{k}" for k in (1, 3, 5))
    for name, rows in (("plain", "0,.5,.4,.3"), ("better", "0,.9,.9,.2\n1,.6,.5,.35")):
        (runs / f"{name}-0/history.csv").write_text(f"{head}\n{rows}\n")
    result = call("sweep", *arguments, tensorflow=False)
    assert result.status == 0, result.stderr
    assert not (runs / "sweep.md").exists()
    rows = json.loads((runs / "validation.json").read_text())["rows"]
    found = [[row[f"P@{k}"]["mean"] for k in (1, 3, 5)] for row in rows]
    assert found == [[50.0, 40.0, 30.0], [60.0, 50.0, 35.0]]
    assert rows[1]["P@5"]["vs_first"] == 5.0 and "PSP@1" not in rows[0]
    assert (runs / "validation.md").read_text() == result.stdout


def test_continues_where_it_stopped(configs, trained, call):
    runs = configs / "runs"
    arguments = [configs / "plain.yaml", configs / "better.yaml", "--runs", runs]
    call("sweep", *arguments, "--seeds", 2, tensorflow=False)
    first = (runs / "sweep.json").read_text()
    (runs / "better-1/metrics.json").unlink()
    call("sweep", *arguments, "--seeds", 2, tensorflow=False)
    assert len(trained) == 5 and "--resume" in trained[4]
    assert not any("--resume" in command for command in trained[:4])
    assert (runs / "sweep.json").read_text() == first


def test_a_failed_run_is_reported_and_the_sweep_continues(
    configs, trained, call, caplog
):
    runs = configs / "runs"
    arguments = [configs / "broken.yaml", configs / "plain.yaml", "--runs", runs]
    result = call("sweep", *arguments, "--seeds", 2, tensorflow=False)
    assert result.status == 1 and len(trained) == 4
    assert "broken-1 failed: " in caplog.text and "status 3" in caplog.text
    found = json.loads((runs / "sweep.json").read_text())
    assert found["failed"] == ["broken-1"]
    broken, plain = found["rows"]
    assert broken["seeds"] == [0] and broken["P@1"]["deviation"] is None
    assert plain["seeds"] == [0, 1]
    # Of the seed alone that both have.
    assert plain["P@1"]["vs_first"] == 0.0


def test_a_run_of_another_config_is_not_mistaken_for_this_one(
    configs, trained, call, caplog
):
    arguments = [configs / "plain.yaml", "--runs", configs / "runs", "--seeds", 1]
    call("sweep", *arguments, tensorflow=False)
    result = call("sweep", *arguments, "--set", "top_k=3", tensorflow=False)
    assert result.status == 1 and "top_k was null, is 3" in caplog.text
    assert "--overwrite, or choose another with --run" in caplog.text
    assert "not measured" in result.stdout and len(trained) == 1


def test_bad_input(configs, trained, call):
    def refused(*arguments):
        result = call("sweep", *arguments, tensorflow=False)
        assert (result.status, result.stdout) == (2, "")
        assert result.stderr.count("\n") == 1
        return result.stderr

    plain = configs / "plain.yaml"
    assert "--seeds to be at least 1" in refused(plain, "--seeds", 0)
    error = refused(plain, "--runs", plain)
    assert "Expected a folder for the runs of a sweep. Received: a file." in error
    assert "plain twice" in refused(plain, plain)
    (configs / "wrong.yaml").write_text("epochs: three\n")
    assert "wrong.yaml:1: " in refused(plain, configs / "wrong.yaml")
    assert "Unknown config key" in refused(plain, "--set", "epcohs=1")
    assert not trained and not (configs / "runs").exists()


def test_the_ablations_are_all_there():
    names = {path.stem for path in ABLATIONS}
    assert names >= {"reference", "static_negatives", "one_layer", "with_swa"}
    assert names >= {"label_score", "one_rate", "dense_updates", "mean_pooling"}


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.stem)
def test_an_ablation_differs_by_a_setting_or_two(path):
    written = yaml.safe_load(path.read_text("utf-8"))
    if path.stem == "reference":
        assert "base" not in written  # no other recipe changes what it is
    else:
        base = path.parent / written["base"]
        own, other = vars(load_config(path)), vars(load_config(base))
        assert 1 <= sum(own[key] != other[key] for key in own) <= 2
        assert own["data"] == other["data"]
    head = path.read_text("utf-8").split("\n\n")[0]
    assert f"configs/ablations/{path.name}" in head and "# Measured here: " in head


def test_bad_lines_are_left_out_of_all_runs(configs, trained, call):
    arguments = [configs / "plain.yaml", "--seeds", 2, "--runs", configs / "runs"]
    assert call("sweep", *arguments, "--skip-bad-lines").status == 0
    assert ["--skip-bad-lines" in command for command in trained] == [True, True]
