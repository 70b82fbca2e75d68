"""new_labels.py, learning.py, choose_strengths.py and hot_swaps.py on tiny data."""

import json

import pytest

from tests.helpers.programs import run_benchmark


@pytest.mark.large
def test_new_labels(tiny_config, tmp_path):
    path = tmp_path / "new.json"
    done = run_benchmark(
        "accuracy.new_labels", tiny_config, "--labels", 3, "--json", path
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(path.read_text())
    rows = {row["labels"]: row for row in record["measured"]}
    assert record["new_labels"] == 3 and record["commit"]
    assert rows["without"]["recall@100"] == 0
    assert rows["all documents"]["P@5 new"] > 0.5 * rows["trained"]["P@5 new"]
    assert rows["all documents"]["add_s"] >= 0


@pytest.mark.large
def test_learning(tiny_run, tmp_path):
    path = tmp_path / "learning.json"
    done = run_benchmark(
        "accuracy.learning", tiny_run.folder, "--corrections", 20, "--json", path
    )
    assert done.returncode == 0, done.stderr
    before, learnt = json.loads(path.read_text())["measured"]
    assert before["right"] == 0 and learnt["right"] > 0


@pytest.mark.large
def test_choose_strengths(tiny_config, tmp_path):
    path = tmp_path / "strengths.json"
    options = "--labels", 3, "--set", "epochs=2", "--json", path
    done = run_benchmark("accuracy.choose_strengths", tiny_config, *options)
    assert done.returncode == 0, done.stderr
    record = json.loads(path.read_text())
    for rows, key in ((record["rows"], "P@5"), (record["learning"], "right")):
        assert [row["factor"] for row in rows] == [0.25, 0.5, 1, 2, 4]
        assert len({row[key] for row in rows}) > 1  # strengths matter
        assert sum(row["chosen"] == "*" for row in rows) <= 1
    least = record["before"]["P@5"] - 0.2
    for row in record["learning"]:
        assert row["chosen"] == "" or row["P@5"] >= least


@pytest.mark.large
def test_hot_swaps(tiny_run, tmp_path):
    path = tmp_path / "swaps.json"
    options = "--clients", 4, "--seconds", 3, "--json", path
    done = run_benchmark("speed.hot_swaps", tiny_run.folder, *options)
    assert done.returncode == 0, done.stderr
    record = json.loads(path.read_text())
    assert record["failures"] == 0 and record["requests"] > 0
    assert [row["labels"] for row in record["swaps"]] == [40, 60, 80]
