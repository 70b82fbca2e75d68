"""train_step.py and predict.py: arithmetic, and a run on few labels."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.shared.random_batches import random_batches, rectangle
from benchmarks.shared.sides import spread
from benchmarks.speed.train_step import summary
from tests.helpers.programs import run_benchmark


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 500), st.data())
def test_clusters_of_nearly_equal_size(num_labels, data):
    num_clusters = data.draw(st.integers(1, num_labels))
    clusters = rectangle(num_labels, num_clusters)
    sizes = (clusters >= 0).sum(axis=1)
    assert len(clusters) == num_clusters and max(sizes) - min(sizes) <= 1
    np.testing.assert_array_equal(clusters[clusters >= 0], np.arange(num_labels))


def test_batches_are_the_same_for_every_side_and_have_the_labels_asked_for():
    shape = {"labels": 1000, "labels_a_document": 4.0, "batch": 50, "tokens": 6}
    shape["vocabulary_size"] = 2000
    first, again = (list(random_batches(shape, 20)) for _ in range(2))
    for a, b in zip(first, again):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
    assert (first[0]["token_ids"] != first[1]["token_ids"]).any()
    assert first[0]["token_ids"].shape == first[0]["padding_mask"].shape == (50, 6)
    found = np.concatenate([batch["label_ids"] for batch in first])
    counts = (found >= 0).sum(axis=1)
    assert counts.min() >= 1 and counts.mean() == pytest.approx(4, abs=0.3)
    assert found.max() < 1000
    for row, count in zip(found, counts):
        assert len(set(row[:count].tolist())) == count and (row[count:] == -1).all()


def test_summary():
    assert spread([4.0, 1.0, 2.0, 3.0, 5.0]) == (3.0, [1.5, 4.5])
    found = {
        "ours": {"seconds": [2.0, 2.0, 2.0], "peak_gb": 1.5, "first_s": 9.0},
        "PyTorch": {"seconds": [4.0, 5.0, 6.0], "peak_gb": 3.0, "first_s": 8.0},
    }
    ours, theirs = summary(found, batch=16)
    assert ours["step_s"] == 2 and ours["documents_s"] == 8 and ours["ours / it"] == 1
    assert theirs["ours / it"] == 0.4 and theirs["peak_gb"] == 3


BFLOAT16 = ["--table-dtype", "bfloat16"]
ONE_VS_ALL = ["--system", "one_vs_all"]


@pytest.mark.large
@pytest.mark.parametrize(
    "program, more, second",
    [
        ("train_step", ["--optimizer", "rowwise_sgd", *BFLOAT16], "4,096 labels"),
        ("train_step", [*ONE_VS_ALL, *BFLOAT16], "LightXML"),
        ("predict", [], "4,096 labels"),
        ("predict", ONE_VS_ALL, "LightXML"),
    ],
)
def test_a_run_on_few_labels(program, more, second):
    shape = "--labels 200 --clusters 20 --top-k 3 --bottleneck 8 --batch 2 --tokens 8"
    few = ["--steps", "1", "--turns", "2", "--json"]
    done = run_benchmark(f"speed.{program}", *shape.split(), *few, *more)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    rows = record["sides" if program == "train_step" else "measured"]
    assert {row["side"] for row in rows} == {"ours", second, "encoder alone"}
    assert all(row["peak_gb"] > 0.1 for row in rows)
    assert record["machine"]["cores"] and record["commit"]
