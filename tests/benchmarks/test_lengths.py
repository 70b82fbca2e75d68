"""lengths.py: the seconds of each side, and a run on a small data folder."""

import json
import time

import numpy as np
import pytest

from benchmarks.speed import lengths
from tests.helpers.programs import run_benchmark
from xmc_keras.data.documents import read_documents


class Batches:
    """`count` batches, each of which is the seconds that its step takes."""

    def __init__(self, seconds, count):
        self.seconds, self.count, self.taken = seconds, count, 0

    def __len__(self):
        return self.count

    def dataset(self):
        for _ in range(self.count):
            self.taken += 1
            yield self.seconds


def test_each_side_has_its_own_seconds_and_all_its_batches():
    batches = {"slow": Batches(0.04, 5), "fast": Batches(0.01, 5)}
    turns = []

    def step(iterator):
        seconds = next(iterator)
        turns.append(seconds)
        time.sleep(seconds)

    found = lengths.in_turns(batches, step)
    assert list(found) == ["slow", "fast"]
    assert 5 * 0.04 <= found["slow"] and 5 * 0.01 <= found["fast"] < found["slow"]
    # After a pass each, which does not count, a batch each.
    assert turns == [0.04] * 5 + [0.01] * 5 + [0.04, 0.01] * 5
    assert all(side.taken == 2 * 5 for side in batches.values())


def test_a_sample_has_the_labels_of_its_documents(tiny_data):
    documents = read_documents(tiny_data, "train")

    def tokenizer(texts):
        asked.extend(texts)
        return np.zeros(len(texts), np.int32), np.arange(len(texts) + 1)

    asked = []
    tokens, labels = lengths.sample(documents, 50, tokenizer)
    assert len(tokens) == len(set(asked)) == labels.shape[0] == 50
    names = sorted({name for names in documents.labels for name in names})
    by_text = dict(zip(documents.texts, documents.labels))
    assert labels.shape[1] == len(names)
    for row, text in zip(labels.toarray(), asked):
        assert row.sum() == len(by_text[text])


@pytest.mark.large
def test_a_data_folder(tiny_data, tmp_path):
    path = tmp_path / "found.json"
    few = ("--documents", 40, "--tokens", 64, "--batch", 8, "--predict-batch", 8)
    process = run_benchmark("speed.lengths", tiny_data, *few, "--json", path)
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert found == json.loads(path.read_text())
    assert 4 < found["tokens"] < 64
    rows = {(row["work"], row["batches"]): row for row in found["measured"]}
    assert len(rows) == 4
    for work in ("training", "prediction"):
        assert rows[work, "fixed"]["ratio to fixed"] == 1
        by_length = rows[work, "by length"]
        # Ten tokens instead of 64.
        assert by_length["ratio to fixed"] > 1.5
        assert by_length["documents_s"] > rows[work, "fixed"]["documents_s"]


def test_too_few_documents(tiny_data, call):
    arguments = tiny_data, "--documents", 161
    result = call("benchmarks.speed.lengths", *arguments, tensorflow=False)
    assert result.status == 2
    assert result.stderr.endswith(
        "Expected 161 documents or more. Received: 160. Lower --documents.\n"
    )
