"""clustering.py on a small data folder and a small generated shape."""

import json

import pytest

from tests.helpers.programs import run_benchmark

PROGRAM = "benchmarks.speed.clustering"


def test_a_data_folder(tiny_data, call):
    result = call(PROGRAM, tiny_data, "--max-leaf", 5, "--seeds", 2)
    assert result.status == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["documents"], found["labels"]) == (160, 20)
    for side in ("cluster_labels", "plain"):
        assert found[side]["clusters"] == 4
        assert found[side]["smallest"] == found[side]["largest"] == 5
        assert 0 < found[side]["mean_cosine"] <= 1
        assert list(found[side]["mean_cosine_by_seed"]) == ["0", "1"]


def test_a_shape(tmp_path):
    path = tmp_path / "new" / "found.json"
    shape = ("--shape", "amazon670k", "--scale", 0.002, "--threads", 1)
    options = (*shape, "--without-plain", "--json", path)
    process = run_benchmark("speed.clustering", *options)
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert found == json.loads(path.read_text())
    assert (found["documents"], found["labels"], found["features"]) == (981, 1340, 272)
    assert found["cluster_labels"]["clusters"] == 16
    assert "plain" not in found and found["threads"] == 1
    assert 0.05 < found["pifa_peak_gb"] <= found["peak_gb"] < 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shape", "wiki500k", "data"], "received both"),
        (["--scale", "0.1"], "--scale with --shape only"),
        (["--shape", "wiki500k", "--scale", "0"], "a number above 0: 0"),
        (["nowhere"], "nowhere"),
    ],
)
def test_wrong_arguments(arguments, message, call):
    result = call(PROGRAM, *arguments)
    assert result.status == 2 and message in result.stderr and not result.stdout
