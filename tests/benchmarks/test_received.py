"""received.py: arithmetic, and a run of two workers."""

import json

import pytest

from benchmarks.distribution.received import calculate, summary
from tests.helpers.programs import run_benchmark

SHAPE = {"workers": 4, "batch": 10, "bottleneck": 5}
SIZES = {"dense": 1000, "hidden": 7, "token_rows": 80, "label_rows": 600}
SIZES["candidates"] = 30


def test_what_a_worker_receives():
    whole = calculate(SHAPE | {"sharded": False}, SIZES)
    # From each of three others: 20 token rows of 7 numbers and an id, 150 label rows.
    assert whole == {
        "gradients": 6000,
        "token rows": 3 * 20 * (7 + 1) * 4,
        "label rows": 3 * 150 * (5 + 1) * 4,
    }
    dealt = calculate(SHAPE | {"sharded": True}, SIZES)
    # Of three others 10 documents each; and 3 / 4 of an array of 40 documents, twice.
    assert dealt["gradients"] == 6000 and "label rows" not in dealt
    assert dealt["candidates"] == 3 * 10 * 30 * 4
    assert dealt["features"] == 3 * 10 * 5 * 4 + 2 * 30 * 5 * 4
    assert dealt["logits"] == 2 * 30 * 30 * 4 + 3 * 10 * 30 * 4


def test_summary_is_a_mean_over_workers():
    shape = SHAPE | {"sharded": False}
    worker = {"interface": 4e7, "seconds": [1.0, 3.0, 2.0], "sizes": SIZES}
    found = [worker | {"received": 1e6}, worker | {"received": 3e6}]
    row, parts = summary(shape, found)
    assert row["received_mb"] == 2 and row["interface_mb"] == 10 and row["step_s"] == 2
    assert row["calculated_mb"] == pytest.approx(sum(parts.values()), abs=0.01)


@pytest.mark.large
def test_counted_bytes_are_near_the_calculated_ones():
    sizes = "--workers 2 --labels 20000 --clusters 256 --batch 16 --steps 3".split()
    run = run_benchmark("distribution.received", *sizes)
    assert run.returncode == 0, run.stderr
    record = json.loads(run.stdout)
    whole, dealt = record["measured"]
    for row in (whole, dealt):
        assert 1 < row["received / calculated"] < 1.1, row
    assert dealt["received_mb"] < whole["received_mb"] / 3
