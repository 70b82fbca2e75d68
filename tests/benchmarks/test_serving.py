"""serving.py: its arithmetic, its turns, and a run on a small model."""

import itertools
import json
import shutil
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.shared.serving_sides import free_ports
from benchmarks.speed import serving
from tests.helpers.programs import run_benchmark

PROGRAM = "benchmarks.speed.serving"


def percentile(values, percent):
    """Linear between the two values next to the place, as in textbooks."""
    values = sorted(values)
    place = (len(values) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(1e-4, 10), min_size=1, max_size=300), st.floats(0.5, 60))
def test_summary(latencies, seconds):
    found = serving.summary(latencies, seconds)
    assert found["requests"] == len(latencies)
    assert found["per_second"] == round(len(latencies) / seconds, 1)
    for percent in (50, 95, 99):
        expected = 1000 * percentile(latencies, percent)
        assert found[f"p{percent}_ms"] == pytest.approx(expected, abs=1e-3)


def test_cost_of_rest_is_that_at_one_client():
    rows = [
        {"side": "in process", "clients": 8, "p50_ms": 7.0},
        {"side": "in process", "clients": 1, "p50_ms": 2.0},
        {"side": "REST", "clients": 1, "p50_ms": 2.5},
        {"side": "gRPC", "clients": 1, "p50_ms": 9.0},
    ]
    found = {"p50_ratio": 1.25, "p50_more_ms": 0.5}
    assert serving.cost_of_rest(rows) == found
    assert serving.cost_of_rest(rows[:1]) == {}


def test_table_is_aligned():
    row = {"requests": 5, "p50_ms": 1.25, "p95_ms": 2.0, "p99_ms": 3.0, "per_second": 9}
    rows = [
        {"side": "in process", "clients": 1, **row},
        {"side": "REST", "clients": 32, **row},
    ]
    header, *lines = serving.table(rows).splitlines()
    columns = "side clients requests p50_ms p95_ms p99_ms per_second"
    assert header.split() == columns.split()
    assert lines[1].split() == ["REST", "32", "5", "1.25", "2.0", "3.0", "9"]
    assert len({len(line) for line in (header, *lines)}) == 1


class Sleeper:
    """A client that takes its time, and notes what it was asked and by whom."""

    log = []

    def __init__(self, side, seconds):
        self.side, self.seconds, self.open = side, seconds, True
        self.asked = 0

    def ask(self, text):
        assert self.open
        # The first one is long: it is not to be counted.
        time.sleep(self.seconds if self.asked else 5 * self.seconds)
        self.asked += 1
        Sleeper.log.append((self.side, text, threading.get_ident()))

    def close(self):
        self.open = False


def test_sides_take_turns_over_the_same_texts(monkeypatch):
    monkeypatch.setattr(serving, "TURN", 0.2)
    monkeypatch.setattr(Sleeper, "log", [])
    made = []

    def connect(side, seconds):
        made.append(Sleeper(side, seconds))
        return made[-1]

    sides = {"a": lambda: connect("a", 0.01), "b": lambda: connect("b", 0.02)}
    texts = [f"text {i}" for i in range(7)]
    a, b = serving.measured(sides, texts, clients=3, seconds=0.6)

    # Three turns each, one after the other, three clients a turn.
    turns = [side for side, _ in itertools.groupby(side for side, *_ in Sleeper.log)]
    assert turns == ["a", "b", "a", "b", "a", "b"]
    assert len(made) == 18 and not any(client.open for client in made)
    for side, row in (("a", a), ("b", b)):
        asked = [text for s, text, _ in Sleeper.log if s == side]
        assert set(asked) == set(texts)
        # The first request of a client in a turn is not counted.
        assert row["requests"] == len(asked) - 9
        assert row["side"] == side and row["clients"] == 3
    assert a["p50_ms"] >= 10 and b["p50_ms"] >= 20


def test_an_error_of_a_client_ends_the_turn():
    class Broken:
        asked = 0

        def ask(self, text):
            self.asked += 1
            if self.asked > 2:
                raise ValueError("no answer")

        def close(self):
            pass

    with pytest.raises(ValueError, match="no answer"):
        serving.take_turn(Broken, itertools.cycle(["text"]), clients=2, seconds=0.1)


def test_free_ports_differ():
    assert len(set(free_ports(5))) == 5


@pytest.mark.parametrize("name", ["missing", "empty", "no_version"])
def test_a_folder_without_versions_is_one_sentence_and_status_2(tmp_path, call, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "no_version" / ".tmp-1").mkdir(parents=True)
    figures = ("--json", tmp_path / "new" / "figures.json")
    result = call(PROGRAM, tmp_path / name, *figures)
    assert (result.status, result.stdout) == (2, "")
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith(f"error: {tmp_path / name}: Expected the folder that")
    assert not (tmp_path / "new").exists()


@pytest.mark.large
def test_measures_a_small_model(golden_version, tmp_path, tiny_data):
    shutil.copytree(golden_version, tmp_path / "golden" / "3")
    figures = tmp_path / "figures" / "golden.json"
    done = run_benchmark(
        *("speed.serving", tmp_path / "golden", "--data", tiny_data, "--json", figures),
        *("--grpc", "--seconds", 1, "--clients", 1),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    assert found["export"] == "golden" and found["version"] == 3
    assert found["documents"] == 60
    machine = {"processor", "amx", "cores", "ram_gb", "load"}
    assert set(found["machine"]) == machine
    assert found["commit"] and found["versions"]["tensorflow"]
    rows = found["measured"]
    assert [row["side"] for row in rows] == ["in process", "REST", "gRPC"]
    for row in rows:
        assert row["requests"] > 0
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
    p50 = [row["p50_ms"] for row in rows]
    assert found["p50_ratio"] == pytest.approx(p50[1] / p50[0], abs=1e-3)
    *table, last = done.stdout.splitlines()
    assert len(table) == 1 + len(rows)
    assert f"{found['p50_ratio']} times" in last
