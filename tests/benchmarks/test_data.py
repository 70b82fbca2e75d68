"""data.py: its arithmetic, and a run on a small data folder."""

import json
import time

import pytest

from benchmarks.speed import data as data_benchmark
from tests.helpers.programs import run_benchmark

PROGRAM = "benchmarks.speed.data"


def slow_batches(count, seconds):
    for i in range(count):
        time.sleep(seconds)
        yield i


def test_waits_are_those_for_batches_alone():
    worked = []
    step = data_benchmark.sleeping(0.03)
    seconds = data_benchmark.waits(
        slow_batches(9, 0.01), lambda: worked.append(step()), steps=5
    )
    assert len(seconds) == len(worked) == 5
    assert all(0.01 <= wait < 0.03 for wait in sorted(seconds)[:3])


def test_waits_end_with_the_batches():
    assert len(data_benchmark.waits(iter("abc"), lambda: None, steps=5)) == 3


def test_share_waited_leaves_out_the_first():
    assert data_benchmark.share_waited([9.0, 0.1, 0.3], 0.8) == pytest.approx(0.2)


def test_a_busy_step_takes_its_time():
    start, worked = time.perf_counter(), time.process_time()
    data_benchmark.busy(0.2)()
    assert time.perf_counter() - start >= 0.2
    assert time.process_time() > worked + 0.02


@pytest.mark.large
def test_a_data_folder(tiny_data, tmp_path):
    path = tmp_path / "found.json"
    few = ("--steps", 6, "--step", 0.02, "--tokens", 16)
    process = run_benchmark("speed.data", tiny_data, *few, "--json", path)
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert found == json.loads(path.read_text())
    assert found["documents"] == 220
    assert 220 * 4 < found["tokens"] <= 220 * 16
    assert found["steps"] == 6 and 0 <= found["waited"] < 1
    assert min(found[key] for key in ("build_s", "tokens_s", "documents_s")) > 0


def test_too_few_documents(tiny_data, call):
    result = call(PROGRAM, tiny_data, "--batch", 160, tensorflow=False)
    assert result.status == 2
    assert result.stderr.endswith(
        "Expected two batches or more of 160. Received: 160 documents. Lower --batch.\n"
    )


def test_a_step_takes_time(tiny_data, call):
    result = call(PROGRAM, tiny_data, "--step", 0, tensorflow=False)
    assert result.status == 2 and "expected seconds above 0: 0" in result.stderr
