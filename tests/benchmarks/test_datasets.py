"""datasets.py: what it measures, what it leaves out, and what its tables say."""

import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import datasets
from benchmarks.comparison import peers, tables
from benchmarks.comparison.data_set import read_data_set
from benchmarks.comparison.systems import parse_systems
from tests.helpers.programs import run_benchmark
from tests.helpers.project import PROJECT
from tests.helpers.tiny_data import write_part
from xmc_keras.files.bad_input import BadInput

PROGRAM = "benchmarks.datasets"
# The environment that `python -m benchmarks.datasets --help` describes.
PEERS = os.environ.get("PEERS_PYTHON", str(PROJECT / ".peers/bin/python"))
RECIPE = """
system: lightdxml
encoder: words
embedding_dim: 16
max_ngram: 1
epochs: 2
proxy_epochs: 1
batch_size: 16
"""


@pytest.fixture
def folder(tmp_path):
    """Data of which every fourth test document has a label of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    write_part(folder, "train", 160, seed=1)
    write_part(folder, "test", 40, seed=2)
    path = folder / "test_labels.txt"
    lines = path.read_text().splitlines()
    lines[::4] = [f"{line} unseen{i}" for i, line in enumerate(lines[::4])]
    path.write_text("\n".join(lines) + "\n")
    return folder


def propensity(count, documents, a=0.55, b=1.5):
    c = (math.log(documents) - 1) * (b + 1) ** a
    return 1 + c * (count + b) ** -a


def label_lines(folder, part):
    text = (folder / f"{part}_labels.txt").read_text()
    return [line.split() for line in text.splitlines()]


def read(path):
    return json.loads(Path(path).read_text())["results"]


@pytest.mark.large
def test_a_system_is_measured_once(folder, tmp_path):
    recipe = tmp_path / "small_words.yaml"
    recipe.write_text(RECIPE)
    place = ("--out", tmp_path / "new/found.json", "--runs", tmp_path / "runs")
    asked = (folder, "--systems", recipe, "--peers", "none", "--seeds", 1, *place)
    process = run_benchmark("datasets", *asked)
    assert process.returncode == 0, process.stderr
    (record,) = read(place[1])
    assert datasets.key_of(record) == ("small", "small_words", 0)
    assert (record["train_documents"], record["test_documents"]) == (160, 40)
    pairs = sum(map(len, label_lines(folder, "test")))
    assert record["unknown_share"] == round(10 / pairs, 4)
    popular = record["baselines"]["most popular labels"]
    assert 100 >= record["metrics"]["P@1"] > popular["P@1"]
    run = tmp_path / "runs/small/small_words-0/run"
    metrics = json.loads((run / "metrics.json").read_text())
    assert record["metrics"]["PSP@5"] == pytest.approx(metrics["PSP@5"], abs=1e-4)
    assert record["training_seconds"] <= record["process"]["seconds"]
    assert record["training_seconds"] == pytest.approx(
        sum(record["phase_seconds"].values()), abs=0.1
    )
    assert 0.2 < record["process"]["peak_gb"] < 8
    # In float16 at most about half of the weights that training saved.
    assert 0.01 < record["model_mb"] < 5 and record["ms_a_document"] > 0
    assert not (run.parent / "export").exists()
    assert str(tmp_path) not in json.dumps(record)
    assert "| small_words | 1 |" in process.stdout
    # Started again, it has nothing to do.
    before = place[1].read_bytes()
    again = run_benchmark("datasets", *asked)
    assert again.returncode == 0 and again.stdout == process.stdout
    assert place[1].read_bytes() == before


@pytest.mark.large
def test_an_ensemble_has_the_sum_of_its_members(folder, tmp_path):
    recipes = [tmp_path / f"{name}.yaml" for name in ("narrow", "wide")]
    for recipe, dim in zip(recipes, (8, 16)):
        recipe.write_text(RECIPE.replace("dim: 16", f"dim: {dim}"))
    out = tmp_path / "found.json"
    asked = ("--systems", f"{recipes[0]},{recipes[1]},ensemble", "--peers", "none")
    place = ("--out", out, "--runs", tmp_path / "runs")
    process = run_benchmark("datasets", folder, *asked, "--seeds", 1, *place)
    assert process.returncode == 0, process.stderr
    *members, ensemble = read(out)
    assert ensemble["name"] == "ensemble of narrow and wide"
    assert ensemble["phase_seconds"] == {
        member["name"]: member["training_seconds"] for member in members
    }
    assert ensemble["training_seconds"] == pytest.approx(
        sum(member["training_seconds"] for member in members), abs=0.1
    )
    for key in ("seconds", "cpu_seconds"):
        alone = sum(member["process"][key] for member in members)
        assert ensemble["process"][key] > alone
    for member in members:
        assert ensemble["process"]["peak_gb"] >= member["process"]["peak_gb"]
        assert ensemble["model_mb"] > member["model_mb"]


@pytest.mark.large
def test_lightxml_within_minutes(folder, tmp_path):
    out = tmp_path / "found.json"
    options = ("--systems", "lightxml", "--peers", "none", "--seeds", 1)
    place = ("--minutes", 2, "--out", out, "--runs", tmp_path / "runs")
    process = run_benchmark("datasets", folder, *options, *place)
    assert process.returncode == 0, process.stderr
    (record,) = read(out)
    for setting in ("max_tokens=32", "max_leaf=1", "batch_size=16"):
        assert f"--set {setting}" in record["command"]
    assert record["process"]["seconds"] < 3 * 60
    assert record["phase_seconds"]["choosing settings"] > 0
    assert record["training_seconds"] == record["phase_seconds"]["training"]
    assert record["metrics"]["P@1"] > record["baselines"]["most popular labels"]["P@1"]


class Measured:
    """In the place of `Comparison`: what was asked, with made-up figures."""

    asked, failing = [], set()

    def __init__(self, runs, minutes, python):
        self.runs = Path(runs)

    def place(self, data, name, seed):
        return self.runs / f"{name}-{seed}"

    def measure_system(self, data, system, seed):
        return self.measure_peer(data, system.name, seed)

    def measure_peer(self, data, name, seed):
        Measured.asked.append((data.about["data"], name, seed))
        if (name, seed) in self.failing:
            raise BadInput("Expected it to end.")
        metrics = dict.fromkeys(tables.QUALITY, 50.0 + seed)
        return {"metrics": metrics, "training_seconds": 1.0}


@pytest.fixture
def ask(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "Comparison", Measured)
    monkeypatch.setattr(Measured, "asked", [])
    monkeypatch.setattr(Measured, "failing", set())
    out = tmp_path / "found.json"

    def ask(seeds, again=(), more=()):
        arguments = {"out": out, "runs": tmp_path / "runs", "minutes": 1}
        arguments |= {"seeds": seeds, "again": again, "peers_python": "python"}
        systems = parse_systems(["defaults", "lightxml", *more])
        Measured.asked.clear()
        sets = [read_data_set(folder)]
        failed = datasets.measure_all(
            type("Arguments", (), arguments), sets, systems, ["pecos"]
        )
        return [(name, seed) for _, name, seed in Measured.asked], failed

    ask.out = out
    return ask


def test_what_is_there_is_left_out(ask):
    names = ["defaults", "lightxml", "pecos"]
    assert ask(1) == ([(name, 0) for name in names], [])
    assert ask(2) == ([(name, 1) for name in names], [])
    assert ask(2) == ([], [])
    assert ask(1, ["pecos"]) == ([("pecos", 0)], [])
    assert len(read(ask.out)) == 6


def test_an_ensemble_is_measured_again_with_a_member(ask):
    ensemble = "ensemble of defaults and lightxml"
    more = ["ensemble"]
    assert ask(1, more=more)[0][2] == (ensemble, 0)
    found, _ = ask(1, ["lightxml"], more)
    assert found == [("lightxml", 0), (ensemble, 0)]
    assert ask(1, ["ensemble"], more)[0] == [(ensemble, 0)]


def test_what_fails_is_asked_for_again(ask):
    Measured.failing.add(("lightxml", 0))
    asked, failed = ask(1)
    assert len(asked) == 3 and failed == ["lightxml on small, seed 0"]
    assert [record["name"] for record in read(ask.out)] == ["defaults", "pecos"]
    Measured.failing.clear()
    assert ask(1) == ([("lightxml", 0)], [])


def test_other_data_of_the_same_name_is_refused(ask, folder):
    ask(1)
    path = folder / "train_texts.txt"
    path.write_text(path.read_text().replace("word1a", "word1b"))
    with pytest.raises(BadInput, match="other documents of this name"):
        ask(2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Expected data folders, --table or --write"),
        (["nowhere", "--peers", "none"], "nowhere"),
        (["DATA", "--peers", "parabel"], "Expected peers of pecos"),
        (["DATA", "--systems", "no_such"], "no_such"),
        (["DATA", "--systems", "ensemble"], "two systems or more before ensemble"),
        (["DATA", "--systems", "defaults,defaults"], "defaults twice"),
        (["DATA", "DATA", "--peers", "none"], "folders of different names"),
        (["DATA", "--peers", "none", "--again", "pecos"], "--again to name some of"),
        (["DATA", "--peers-python", "nowhere/python"], "Missing: nowhere/python"),
        (["DATA", "--peers-python", sys.executable], "Missing: "),
        (["DATA", "--peers", "none", "--out", "DATA/test_texts.txt"], "another file"),
        (["DATA", "--peers", "none", "--out", "DATA"], "another file"),
        (["DATA", "--seeds", "0"], "expected at least 1"),
        (["DATA", "--minutes", "0"], "minutes above 0"),
    ],
)
def test_bad_input(words, message, folder, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [word.replace("DATA", str(folder)) for word in words]
    result = call(PROGRAM, *words, tensorflow=False)
    assert result.status == 2 and message in result.stderr and not result.stdout
    assert "Traceback" not in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"small"}


def test_metrics_of_a_peer_count_labels_that_training_never_saw(folder):
    names, truth = label_lines(folder, "train"), label_lines(folder, "test")
    known = sorted({name for labels in names for name in labels})

    def same(y, x, x_test, place, k, seed):
        (place / "model").write_bytes(bytes(2_000_000))
        assert (k, seed, y.shape) == (5, 7, (160, 20)) and x_test.shape[0] == 40
        # Each label in its order, and a document without any.
        return [[*range(4), 4][: i % 6] for i in range(40)], 1.0, 0.4

    figures = peers.measure_peer(same, folder, 7)
    hits = [
        [known[j] in labels for j in range(i % 6)] for i, labels in enumerate(truth)
    ]
    for k in (1, 5):
        expected = 100 * np.mean([sum(row[:k]) / k for row in hits])
        assert figures["metrics"][f"P@{k}"] == pytest.approx(expected, abs=1e-3)
    weight = {
        name: propensity(sum(name in labels for labels in names), 160)
        for labels in truth
        for name in labels
    }
    gained = sum(
        weight[known[j]] for row in hits for j, hit in enumerate(row[:5]) if hit
    )
    best = sum(sum(sorted((weight[n] for n in x), reverse=True)[:5]) for x in truth)
    psp = 100 * gained / best
    assert figures["metrics"]["PSP@5"] == pytest.approx(psp, abs=1e-3)
    assert figures["model_mb"] == 2 and figures["ms_a_document"] >= 10
    assert figures["training_seconds"] >= 1


@pytest.mark.large
@pytest.mark.skipif(not Path(PEERS).exists(), reason="no environment with the peers")
def test_the_peers(folder, tmp_path):
    out = tmp_path / "found.json"
    options = ("--seeds", 1, "--out", out, "--runs", tmp_path / "runs")
    asked = (folder, "--systems", "none", "--peers-python", PEERS, *options)
    process = run_benchmark("datasets", *asked)
    assert process.returncode == 0, process.stderr
    records = read(out)
    assert [record["name"] for record in records] == ["pecos", "omikuji", "napkinxc"]
    for record in records:
        assert record["metrics"]["P@1"] > 80  # two words of each label are there
        assert record["metrics"]["P@5"] <= 100 * 4 / 5
        assert record["training_seconds"] < record["process"]["seconds"]
        assert 0 < record["model_mb"] < 1 and record["ms_a_document"] > 0
        assert {"numpy", "scikit-learn"} <= set(record["versions"])


@pytest.mark.parametrize(
    "page, results, against, words",
    [
        (datasets.PAGE, datasets.RESULTS, "", "### debian24k"),
        (
            datasets.STUDY_PAGE,
            "benchmarks/results/defaults.json",
            "defaults",
            "linear=false",
        ),
    ],
)
def test_a_page_is_up_to_date(page, results, against, words):
    text = (PROJECT / page).read_text("utf-8")
    records = datasets.read_records(PROJECT / results)
    found = tables.all_tables(records)
    if against:
        found = tables.difference_tables(records, against)
    _, begin, rest = text.partition(datasets.BEGIN)
    assert begin and rest.partition(datasets.END)[0] == found, (
        "run python -m benchmarks.datasets --write"
    )
    assert words in found
