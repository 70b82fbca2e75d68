"""predict_engines.py: how answers are compared, and a run without other engines."""

import json

import pytest

from benchmarks.speed.predict_engines import SIDES, compare
from tests.helpers.programs import run_benchmark


def test_how_answers_agree():
    first = {
        "same": {"x": 0.3, "z": 0.2},
        "none": {},
        "a tie": {"x": 0.5, "y": 0.4, "z": 0.4},
        "a tie at the end": {"x": 0.5, "y": 0.4},
        "another order": {"x": 0.5, "y": 0.4},
        "another label": {"x": 0.5, "y": 0.4},
        "one less": {"x": 0.5, "y": 0.4},
        "other scores": {"x": 0.5},
    }
    found = first | {
        "a tie": {"x": 0.5, "z": 0.400001, "y": 0.4},
        "a tie at the end": {"x": 0.5, "z": 0.4},
        "another order": {"y": 0.45, "x": 0.44},
        "another label": {"x": 0.5, "z": 0.3},
        "one less": {"x": 0.5},
        "other scores": {"x": 0.6},
    }
    assert compare(found, first) == {
        "same_labels": 3 / 8,
        "same_but_ties": 4 / 8,
        "score_difference": pytest.approx(0.1),
    }
    assert compare(first, first) == {
        "same_labels": 1.0,
        "same_but_ties": 1.0,
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
