"""predict_engines.py: how answers are compared, and a run without other engines."""

import json

import pytest

from benchmarks.speed.predict_engines import SIDES, compare
from tests.helpers.programs import run_benchmark


def test_how_answers_agree():
    first = {"a": {"x": 0.5, "y": 0.4}, "b": {"x": 0.3, "z": 0.2}, "c": {}, "d": {}}
    found = {"a": {"y": 0.45, "x": 0.44}, "b": {"x": 0.3, "y": 0.2}, "c": {}, "d": {}}
    assert compare(found, first) == {
        "same_labels": 0.5,
        "same_sets": 0.75,
        "score_difference": pytest.approx(0.06),
    }
    assert compare(first, first) == {
        "same_labels": 1.0,
        "same_sets": 1.0,
        "score_difference": 0,
    }


@pytest.mark.large
def test_the_benchmark(tiny_run, tmp_path):
    path = tmp_path / "engines.json"
    without = [name for name in SIDES if not name.startswith("predict")]
    arguments = [tiny_run.folder, "--documents", "40", "--json", path, "--without"]
    done = run_benchmark("speed.predict_engines", *arguments, *without)
    assert done.returncode == 0, done.stderr
    record = json.loads(path.read_text())
    assert record["documents"] == 40 and record["machine"]["cores"]
    assert [row["side"] for row in record["measured"]] == list(SIDES)[:2]
    for row in record["measured"]:
        assert row["documents_per_s"] == pytest.approx(40 / row["seconds"], rel=0.05)
        assert row["same_labels"] == 1
