"""`xmc fit` and the other commands on documents given as features."""

import json
import logging
import re
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.fit_runs import METRICS, Killed, metrics
from tests.helpers.tiny_data import write_words_recipe
from xmc_keras.data.splits import validation_split
from xmc_keras.runs.run_folder import RunFolder

NUM_LABELS, NUM_FEATURES = 12, 40


def write_part(folder, name, num_documents, seed):
    """Writes a file in the format of the Extreme Classification Repository.

    Each label has three features of its own; label 7 has no document. Weights are far
    from norm 1.
    """
    rng = np.random.default_rng(seed)
    lines = [f"{num_documents} {NUM_FEATURES} {NUM_LABELS}"]
    for i in range(num_documents):
        labels = {i % NUM_LABELS, int(rng.integers(NUM_LABELS))} - {7} or {0}
        features = {3 * label + int(rng.integers(3)) for label in labels}
        features |= {3 * label + int(rng.integers(3)) for label in labels}
        features |= {36 + int(rng.integers(4))}
        pairs = " ".join(f"{f}:{rng.uniform(5, 9):.3f}" for f in sorted(features))
        lines.append(f"{','.join(map(str, sorted(labels)))} {pairs}")
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    write_part(folder, "train", 200, 1)
    write_part(folder, "test", 60, 2)
    return folder


@pytest.fixture
def config(tmp_path, data):
    return write_words_recipe(
        tmp_path,
        data,
        feature_dropout=0.1,
        learning_rate=0.03,
        head_learning_rate=None,
        warmup=0,
        weight_decay=0,
        num_neighbors=6,
        proxy_dim=24,
        proxy_epochs=1,
        num_predictions=6,
    )


@pytest.mark.large
def test_from_files_to_a_signature_of_features(config, data, tmp_path, call):
    run, exported = tmp_path / "run", tmp_path / "exported"
    result = call("fit", config, "--run", run)
    assert result.status == 0, result.stderr
    found = metrics(run)
    assert found["P@1"] > found["baselines"]["most popular labels"]["P@1"] + 30
    assert found["train_documents"] == 170
    names = RunFolder(run).label_set().names
    assert sorted(map(int, names)) == [i for i in range(NUM_LABELS) if i != 7]
    assert RunFolder(run).num_features() == NUM_FEATURES
    result = call("evaluate", run, "--json")
    again = json.loads(result.stdout)
    for key in METRICS:
        assert again[key] == pytest.approx(found[key], abs=1e-6)

    result = call("export", run, exported, "-k", 2)
    assert result.status == 0, result.stderr
    serve = tf.saved_model.load(str(exported / "1")).signatures["serving_default"]
    # The scale of a row does not matter. Features 0 and 1 belong to label 0.
    scores = []
    for scale in (1.0, 700.0):
        answer = serve(
            indices=tf.constant([0, 1, 15], tf.int32),
            values=tf.constant([scale, scale, scale]),
            row_splits=tf.constant([0, 2, 3], tf.int64),
        )
        assert answer["labels"].numpy()[:, 0].tolist() == [b"0", b"5"]
        scores.append(answer["scores"].numpy())
    np.testing.assert_allclose(*scores, atol=1e-6)

    for program, arguments in (
        ("predict", (run, "a text")),
        ("evaluate", (run, "--texts", config, "--labels", config)),
    ):
        result = call(program, *arguments, tensorflow=False)
        assert result.status == 2
        assert "Expected a run on texts. Received: a run on features" in result.stderr


def test_resume_after_the_data_changed(config, data, tmp_path, call, monkeypatch):
    def die(*arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("xmc_keras.training.loops.train_lightdxml.train_lightdxml", die)
        with pytest.raises(Killed):
            call("fit", config, "--run", tmp_path / "run")
    path = data / "train.txt"
    path.write_text(path.read_text().replace(":5.", ":6.", 1))
    result = call("fit", config, "--run", tmp_path / "run", "--resume")
    assert result.status == 2 and "Traceback" not in result.stderr
    assert "Expected the training part that the run was started with" in result.stderr
    assert str(path) in result.stderr


def test_empty_documents_and_labels_are_reported(config, data, tmp_path, call, caplog):
    path = data / "train.txt"
    head, *lines = path.read_text().splitlines()
    lines = [line.split()[0] if i < 20 else line for i, line in enumerate(lines)]
    # One label occurs in the validation split only.
    held_out = validation_split(len(lines), 30, 0)[1][-1]
    lines[held_out] = "11 " + lines[held_out].split(maxsplit=1)[1]
    lines = [
        line if i == held_out else re.sub(r"^(\d+,)?11(?!\d)", "10", line)
        for i, line in enumerate(lines)
    ]
    path.write_text("\n".join([head, *lines]) + "\n")
    settings = ("--set", "epochs=1", "--set", "refresh=1")
    with caplog.at_level(logging.WARNING):
        result = call("fit", config, "--run", tmp_path / "run", *settings)
    assert result.status == 0, result.stderr
    assert "of 170 training documents have no known words" in caplog.text
    assert "1 of 11 labels have no training documents" in caplog.text
    assert np.isfinite(metrics(tmp_path / "run")["P@1"])


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.replace("200 40 12", "200 40 9", 1), "Expected ids below 9"),
        (lambda t: t.replace("200 40 12", "200 39 12", 1), "Expected ids below 39"),
        (lambda t: t.replace(":5.", ":nan ", 1), "a weight that is a finite number"),
        (
            lambda t: re.sub(r"\n\S+", "\n", t, count=1),
            "Expected a label for each document",
        ),
        (lambda t: t.replace("200", "300", 1), "Expected 300 documents"),
    ],
)
def test_bad_training_files(change, message, config, data, tmp_path, call):
    path = data / "train.txt"
    path.write_text(change(path.read_text()))
    result = call("fit", config, "--run", tmp_path / "run", tensorflow=False)
    assert result.status == 2 and "Traceback" not in result.stderr
    assert message in result.stderr and f"{path}:" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("system", ["lightxml", "lightdxml"])
def test_features_for_a_transformer(system, data, tmp_path, call):
    config = tmp_path / "transformer.yaml"
    config.write_text(f"system: {system}\ndata: {data}\nencoder: minilm\n")
    result = call("fit", config, "--run", tmp_path / "run")
    assert result.status == 2 and not (tmp_path / "run").exists()
    assert "Expected texts for a transformer. Received: a file" in result.stderr


def test_a_search_that_is_not_installed(config, tmp_path, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    arguments = ("--run", tmp_path / "run", "--set", "search=hnsw")
    result = call("fit", config, *arguments, tensorflow=False)
    assert result.status == 2 and not (tmp_path / "run").exists()
    assert "pip install .[ann]" in result.stderr


def test_a_test_part_of_another_set(config, data, tmp_path, call):
    path = data / "test.txt"
    path.write_text(path.read_text().replace("60 40 12", "60 50 12", 1))
    result = call("fit", config, "--run", tmp_path / "run", tensorflow=False)
    assert result.status == 2
    assert "Expected 40 features, as in training. Received: 50" in result.stderr
