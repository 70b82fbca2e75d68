"""lightdxml_scale.py and nearest_search.py at a small size."""

import importlib.util
import json

import numpy as np
import pytest

from benchmarks.speed import nearest_search
from tests.helpers.programs import run_benchmark

PHASES = [
    "generation",
    "model",
    "features",
    "label embeddings",
    "shortlists, exact",
    "classifier epoch",
    "last label embeddings",
    "prediction of 300 documents",
]


@pytest.mark.large
def test_a_cycle(tmp_path):
    path = tmp_path / "new" / "found.json"
    sizes = ("--documents", 900, "--labels", 700, "--features", 500)
    parts = ("--searched", 300, "--steps", 3, "--predicted", 300)
    process = run_benchmark("speed.lightdxml_scale", *sizes, *parts, "--json", path)
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert found == json.loads(path.read_text())
    assert (found["documents"], found["labels"], found["features"]) == (900, 700, 500)
    assert found["parameters"] == 500 * 300 + 300 * 301 + 700 * 301
    rows = found["measured"]
    assert [row["phase"] for row in rows] == PHASES
    for row in rows:
        assert row["seconds"] >= 0 and 0 < row["share"] <= 1
    shares = {row["phase"]: row["share"] for row in rows}
    assert shares["label embeddings"] == 0.25 and shares["classifier epoch"] < 0.5
    peaks = [row["peak_gb"] for row in rows]
    assert peaks == sorted(peaks) and peaks[-1] == found["peak_gb"] < 3


def test_wrong_arguments(call):
    for arguments, message in (
        (["--documents", "3"], "expected at least 100"),
        (["--set", "epochs=-1"], "Expected epochs to be"),
    ):
        result = call("benchmarks.speed.lightdxml_scale", *arguments, tensorflow=False)
        assert result.status == 2 and message in result.stderr and not result.stdout


def test_nearest_search(call):
    program = "benchmarks.speed.nearest_search"
    if importlib.util.find_spec("hnswlib") is None:
        result = call(program, "--labels", 300)
        assert result.status == 2 and "pip install .[ann]" in result.stderr
        return
    sizes = ("--labels", 900, 300, "--build-rows", 600, "--dim", 8)
    result = call(program, *sizes, "--neighbors", 10, "--documents", 64)
    assert result.status == 0, result.stderr
    few, many = json.loads(result.stdout)["measured"]
    assert (few["labels"], few["built"]) == (300, 300)
    assert (many["labels"], many["built"]) == (900, 600)
    assert few["recall"] > 0.9 and many["recall"] > 0.9


@pytest.mark.parametrize("rows", [64, 200])
def test_what_is_made_up(rows):
    table = nearest_search.embeddings(rows, 30, np.random.default_rng(0))
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    assert (table >= 0).all()
    topics = np.arange(rows) // 64
    same = topics[:, None] == topics
    cosines = unit @ unit.T
    if rows > 64:
        assert cosines[same].mean() > cosines[~same].mean() + 0.05
    queries = nearest_search.documents_of(table, 40, np.random.default_rng(1))
    assert queries.shape == (40, 30) and (queries >= 0).all()
