"""ablations.py: what it trains, evaluates and reports."""

import json
from pathlib import Path

import pytest

from benchmarks.accuracy import ablations
from xmc_keras.config.config_file import load_config


@pytest.fixture
def programs(monkeypatch):
    """What was trained and asked, with made-up metrics."""
    done = {"trained": [], "asked": []}

    def train(config, run, settings):
        done["trained"].append((Path(config).stem, run.name, settings))
        seed = int(run.name[-1])
        worse = {"one_layer": 2 + seed, "with_swa": -1}.get(Path(config).stem, 0)
        metrics = {f"P@{k}": 50.0 + seed - worse for k in (1, 3, 5)}
        return metrics | {"train_seconds": 2, "peak_memory_gb": 1, "commit": "abc"}

    def ask(command, *arguments):
        done["asked"].append((command, *(getattr(a, "name", a) for a in arguments)))
        if command == "evaluate":
            return {f"P@{k}": 40.0 for k in (1, 3, 5)}
        members = {f"m{i}": {f"P@{k}": 50.0 + i for k in (1, 3, 5)} for i in range(3)}
        whole = {f"P@{k}": 53.0 for k in (1, 3, 5)}
        return {**whole, "members": members, "mean member": members["m1"]}

    monkeypatch.setattr(ablations, "train", train)
    monkeypatch.setattr(ablations, "ask", ask)
    return done


def found(tmp_path, seeds, only=None):
    arguments = {"seeds": seeds, "only": only, "set": ["epochs=1"]}
    arguments |= {"runs": tmp_path / "runs", "json": tmp_path / "found.json"}
    ablations.main(type("Arguments", (), arguments))
    return json.loads((tmp_path / "found.json").read_text())


def test_configs_are_compared_seed_by_seed(programs, tmp_path):
    figures = found(tmp_path, 2, ["reference", "one_layer", "with_swa"])
    rows = {row["config"]: row for row in figures["measured"]}
    assert list(rows) == ["reference", "one_layer", "with_swa"]
    assert rows["reference"]["P@1"] == 50.5 and rows["reference"]["commits"] == ["abc"]
    one_layer = rows["one_layer"]
    assert one_layer["P@1 vs base"] == -2.5
    assert one_layer["P@1 +-"] == pytest.approx(0.71)
    assert rows["with_swa"]["P@5 vs base"] == 1 and rows["with_swa"]["P@5 +-"] == 0
    assert programs["trained"][-1] == (
        "with_swa",
        "with_swa-1",
        ["epochs=1", "seed=1"],
    )
    assert (
        figures["command"] == "python -m benchmarks.accuracy.ablations --set epochs=1"
    )
    assert figures["settings"] == ["epochs=1"] and figures["ensembles"] == []


def test_figures_of_several_starts_add_up(programs, tmp_path):
    found(tmp_path, 1, ["reference"])
    found(tmp_path, 2, ["reference", "with_swa"])
    figures = found(tmp_path, 2, ["three clusterings"])
    by_seed = {name: list(runs) for name, runs in figures["runs"].items()}
    assert by_seed == {"reference": ["0", "1"], "with_swa": ["0", "1"]}
    names = [run for _, run, _ in programs["trained"]]
    assert names[:4] == ["reference-0", "with_swa-0", "reference-1", "with_swa-1"]
    again = found(tmp_path, 2, ["reference", "three clusterings"])
    assert len(programs["trained"]) == len(names)
    for key in ("measured", "runs", "ensembles"):
        assert again[key] == figures[key]
    path = tmp_path / "found.json"
    path.write_text(path.read_text().replace("epochs=1", "epochs=7"))
    with pytest.raises(SystemExit, match="Expected figures of --set .*epochs=7"):
        found(tmp_path, 1, ["reference"])


def test_static_negatives_are_compared_with_as_many_epochs(programs, tmp_path):
    chosen = ["reference", "three_epochs", "static_negatives"]
    rows = found(tmp_path, 1, chosen)["measured"]
    assert [row["base"] for row in rows] == ["reference", "three_epochs", "reference"]
    assert [row["config"] for row in rows][1] == "static_negatives"


def test_the_score_of_labels_is_asked_of_the_reference(programs, tmp_path):
    (row,) = found(tmp_path, 1, ["label_score"])["measured"]
    assert row["P@1"] == 40 and row["P@1 vs base"] is None
    assert programs["trained"][0][:2] == ("reference", "reference-0")
    assert programs["asked"] == [("evaluate", "reference-0", "--score", "label")]


def test_an_ensemble_is_compared_with_the_mean_of_its_members(programs, tmp_path):
    figures = found(tmp_path, 3, ["three seeds", "three clusterings"])
    assert figures["measured"] == []
    settings = [(run, *own) for _, run, own in programs["trained"]]
    assert settings == [
        ("reference-0", "epochs=1", "seed=0"),
        ("clustering-1", "epochs=1", "seed=0", "cluster_seed=1"),
        ("clustering-2", "epochs=1", "seed=0", "cluster_seed=2"),
        ("reference-0", "epochs=1", "seed=0"),
        ("same_documents-1", "epochs=1", "seed=1", "split_seed=0"),
        ("same_documents-2", "epochs=1", "seed=2", "split_seed=0"),
    ]
    for row, name in zip(figures["ensembles"], ablations.ENSEMBLES, strict=True):
        assert row["config"] == name
        assert row["P@1"] == 53 and row["P@1 vs mean"] == 2
        assert row["P@5 of members"] == [50, 51, 52]
    assert programs["asked"] == [
        ("ensemble", "reference-0", f"{name}-1", f"{name}-2")
        for name in ("clustering", "same_documents")
    ]


def test_every_config_of_the_folder_is_there():
    assert ablations.NAMES[0] == "reference" and len(ablations.NAMES) == 15
    for path in ablations.CONFIGS.values():
        load_config(path)
