"""serving_memory.py and start_up.py: their requests, and runs on a small model."""

import itertools
import json

import pytest

from benchmarks.speed.serving_memory import Requests, by_minute
from tests.helpers.programs import run_benchmark
from tests.helpers.served_lightxml import make_model
from xmc_keras.serving.export import export

TEXTS = ["a b", "c", "z y x", "d e f g"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "tiny"
    export(make_model(0, list("pqrst"), [[0, 3, -1], [1, 4, 2]]), folder, TEXTS, k=3)
    return folder


def some_requests(seed, count=400):
    requests = Requests(TEXTS, list("pqrst"), seed)
    return [requests.next() for _ in range(count)]


def test_requests_repeat_with_their_seed():
    assert some_requests(3) == some_requests(3) != some_requests(4)


def test_requests_are_of_all_kinds():
    found = some_requests(0)
    whats = {what for what, _, _ in found}
    assert {"serving_default", "top_k", "score", "embed"} < whats and len(whats) == 11
    refused = [expected == (400, "INVALID_ARGUMENT") for _, _, expected in found]
    assert 0.05 < sum(refused) / len(refused) < 0.3


def test_by_minute():
    samples = [(0.1, 5, 4), (59.9, 6, 4), (60.0, 7, 4), (185.0, 8, 4)]
    assert by_minute(samples) == {0: [5, 4], 1: [7, 4], 3: [8, 4]}


@pytest.mark.large  # half a minute of requests
def test_memory_of_a_small_model(exported, tmp_path, tiny_data):
    figures = tmp_path / "figures.json"
    done = run_benchmark(
        *("speed.serving_memory", exported, "--data", tiny_data, "--json", figures),
        *("--minutes", 0.5, "--rate", 20),
    )
    assert done.returncode in (0, 1), done.stderr  # 1: memory grew at the start
    found = json.loads(figures.read_text())
    assert found["failed"] == 0 and "0 failed" in done.stdout
    sides = ("REST", "gRPC")
    signatures = ("serving_default", "top_k", "score", "embed")
    for side, what in itertools.product(sides, signatures):
        assert found["requests"][f"{side}, {what}"] > 0
    start, early, late = found["measured"]
    assert 100 < early["private_mb"] < early["resident_mb"] < 5000
    growth = 100 * (late["resident_mb"] / early["resident_mb"] - 1)
    assert found["growth_percent"]["resident"] == pytest.approx(growth, abs=0.01)


@pytest.mark.large  # starts TensorFlow twice
def test_start_up_of_a_small_model(exported, tmp_path):
    figures = tmp_path / "figures.json"
    done = run_benchmark("speed.start_up", exported, "--rounds", 1, "--json", figures)
    assert done.returncode == 0, done.stderr
    default, fast = json.loads(figures.read_text())["measured"]
    assert (default["options"], fast["options"]) == ("default", "session.config")
    steps = ("load", "serving_default", "top_k", "select", "score", "embed")
    for row in (default, fast):
        total = sum(row[step] for step in steps)
        assert row["ready"] == pytest.approx(total, abs=1e-3)
    assert fast["ready"] < 0.8 * default["ready"]
