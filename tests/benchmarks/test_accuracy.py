"""accuracy.py: what it trains, what it does not train again, and what it reports."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import accuracy
from xmc_keras.cli.several_runs import sweep
from xmc_keras.config.config_file import load_config, save_config


@pytest.fixture
def trained(monkeypatch):
    """The commands that would train, each of which leaves metrics by its seed."""
    commands = []

    def run(command, cwd=None, **_):
        if command[0] == "git":
            output = "abc\n" if "describe" in command else ""  # no difference
            return type("Done", (), {"stdout": output, "returncode": 0})
        commands.append(command)
        folder = Path(command[command.index("--run") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        settings = [w for w in command if "=" in w]
        config = command[command.index("fit") + 1]
        save_config(load_config(config, settings), folder / "config.yaml")
        np.savez(folder / "label_counts.npz")
        seed = next(int(w[5:]) for w in settings if w.startswith("seed="))
        better = "optimizer=adamw" in command
        metrics = {f"P@{k}": 50.0 + seed + better / k for k in (1, 3, 5)}
        metrics |= {"train_seconds": 2.5, "peak_memory_gb": 1.0 + seed}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(sweep.subprocess, "run", run)
    return commands


def ask(tmp_path, seeds, only=None):
    arguments = {"seeds": seeds, "only": only, "runs": tmp_path / "runs"}
    arguments["json"] = tmp_path / "found.json"
    accuracy.main(type("Arguments", (), arguments))
    return json.loads((tmp_path / "found.json").read_text())["measured"]


def test_ways_are_compared_seed_by_seed(trained, tmp_path):
    rows = ask(tmp_path, 3)
    assert [row["way"] for row in rows] == list(accuracy.WAYS)
    assert len(trained) == 3 * len(accuracy.WAYS)
    dense, rowwise = rows[:2]
    assert dense["P@1"] == 52.0 and dense["P@5"] == 51.2
    assert dense["P@1 deviation"] == 1.0 and dense["P@1 vs dense"] == 0.0
    assert rowwise["P@1 vs dense"] == -1.0 and rowwise["P@5 vs dense"] == -0.2
    assert rowwise["train_s"] == [2.5] * 3 and rowwise["peak_gb"] == 3.0
    assert rowwise["commits"] == ["abc"]


def test_a_run_that_is_there_is_not_trained_again(trained, tmp_path):
    ask(tmp_path, 1, ["XLA"])
    assert "--resume" not in trained[0] and "jit_compile=true" in trained[0]
    (row,) = ask(tmp_path, 1, ["XLA"])
    assert len(trained) == 1 and row["seeds"] == 1
    assert row["P@1 deviation"] is None and row["P@1 vs dense"] is None
    # A run that was stopped is resumed.
    (tmp_path / "runs/XLA-0/metrics.json").unlink()
    ask(tmp_path, 2, ["XLA"])
    assert "--resume" in trained[1] and "--resume" not in trained[2]


def test_a_run_that_ends_early_ends_all(monkeypatch, tmp_path):
    done = type("Done", (), {"returncode": 2})
    monkeypatch.setattr(sweep.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(SystemExit, match="XLA-0 ended early"):
        ask(tmp_path, 1, ["XLA"])


@pytest.mark.parametrize("way", accuracy.WAYS)
def test_every_way_is_a_config(way):
    load_config(accuracy.CONFIG, accuracy.WAYS[way])
