"""Training that ends with its best epoch, or with the start if no epoch is better."""

import logging

import keras
import numpy as np
import pytest

from tests.helpers.fit_runs import Killed
from xmc_keras import Config, Documents, RunFolder, evaluate, fit, read_documents
from xmc_keras.cli.several_runs.sweep import on_validation
from xmc_keras.runs.run_checkpoint import RunCheckpoint

WORDS = {"system": "lightdxml", "encoder": "words", "embedding_dim": 16}
WORDS |= {"validation_documents": 30, "num_predictions": 10, "batch_size": 16}
WORDS |= {"num_neighbors": 12, "proxy_epochs": 0, "schedule": "constant", "warmup": 0}
CLASSIFIER = {"candidates_from": "classifier", "shared_negatives": True}
CLASSIFIER |= {"random_negatives": 5}
DESTROYING = {"learning_rate": 3.0, "head_learning_rate": None, "weight_decay": 0}
NAMES = ("P@1", "P@3", "P@5")


@pytest.fixture
def parts(tiny_data):
    read = [read_documents(tiny_data, part) for part in ("train", "test")]
    return [Documents(part.texts, part.labels) for part in read]


def means(result):
    """Mean of the three P@k after each epoch, in percent."""
    rows = [[row[f"val_precision_at_{k}"] for k in (1, 3, 5)] for row in result.history]
    return [100 * float(np.mean(row)) for row in rows]


def mean(found):
    return float(np.mean([found[name] for name in NAMES]))


class Spoil(keras.callbacks.Callback):
    """Turns the weights to noise before the third epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            for weight in self.model.trainable_variables:
                weight.assign(keras.random.normal(weight.shape, stddev=3, seed=1))


@pytest.mark.parametrize("extra", [{}, CLASSIFIER], ids=["embeddings", "classifier"])
def test_the_best_epoch_of_lightdxml_is_kept(parts, extra):
    train, test = parts
    config = Config(**WORDS, **extra, learning_rate=0.03, epochs=3, refresh=2)
    result = fit(config, train, validation=test, callbacks=[Spoil()], progress=False)
    epochs, metrics = means(result), result.metrics
    assert epochs[2] < max(epochs) - 3
    assert metrics["best_epoch"] == np.argmax(epochs) + 1 < 3
    # The embeddings are made once more, and beta is chosen, so it may be better.
    assert mean(metrics["validation"]) >= max(epochs) - 0.5
    for name in NAMES:
        assert metrics[name] == pytest.approx(metrics["validation"][name], abs=1e-3)


def test_label_words_alone_if_no_epoch_is_better(parts, caplog):
    train, test = parts
    config = Config(**WORDS, **CLASSIFIER, **DESTROYING, label_words=8, epochs=1)
    with caplog.at_level(logging.INFO):
        result = fit(config, train, validation=test, progress=False)
    assert "Best on the validation split: the start; no epoch is better" in caplog.text
    metrics, model = result.metrics, result.model
    assert metrics["best_epoch"] == 0 and mean(metrics["validation"]) > 20
    assert mean(metrics["validation"]) >= mean(metrics["validation_at_start"]) - 1e-9
    assert max(means(result)) <= mean(metrics["validation_at_start"])
    assert not model.classifier.label_weights.numpy().any()
    assert (model.lexical.gains.numpy() == 1).all()
    again = evaluate(model, test, train=train, config=config)
    for name in NAMES:
        assert again[name] == pytest.approx(metrics["validation"][name], abs=1e-3)
    # What is chosen is in the metrics and in the model.
    share, factor = metrics["logq_correction"], metrics["label_words_factor"]
    assert float(model.lexical.scale) == pytest.approx(
        factor * config.label_words_scale
    )
    biases = model.classifier.label_bias.numpy()
    assert share > 0 and biases.min() < biases.max()


def destroyed_lightxml(encoder, **keys):
    """A config whose start is better than any epoch."""
    settings = {"encoder": str(encoder), "max_tokens": 16, "pooling": "mean"}
    settings |= {"num_feature_layers": 2, "max_leaf": 5, "top_k": 4, "warmup": 0}
    settings |= {"validation_documents": 30, "num_predictions": 10, "epochs": 3}
    settings |= {**DESTROYING, "schedule": "constant", "head_start": "centroids"}
    return Config(**settings, **keys)


@pytest.mark.large
def test_the_start_of_lightxml_counts(parts, tiny_encoder):
    train, _ = parts
    config = destroyed_lightxml(tiny_encoder, patience=1)
    result = fit(config, train, progress=False)
    metrics = result.metrics
    assert metrics["best_epoch"] == 0 and len(result.history) == 1  # and early stop
    assert metrics["validation"] == metrics["validation_at_start"]
    for name in NAMES:
        assert metrics[name] == pytest.approx(metrics["validation"][name], abs=1e-3)
    row = result.history[0]
    assert metrics["P@5"] >= 100 * row["val_precision_at_5"] - 1e-3
    assert metrics["P@5"] > 10


@pytest.mark.large
def test_the_start_of_lightxml_is_known_after_a_restart(
    parts, tiny_encoder, tmp_path, monkeypatch
):
    train, test = parts
    config = destroyed_lightxml(tiny_encoder, patience=2)
    whole = fit(config, train, test=test, run=tmp_path / "whole", progress=False)
    save = RunCheckpoint.save

    def save_and_die(checkpoint):
        save(checkpoint)
        raise Killed

    folder = tmp_path / "killed"
    for resume in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr(RunCheckpoint, "save", save_and_die)
            with pytest.raises(Killed):
                fit(config, train, run=folder, resume=resume, progress=False)
    again = fit(config, train, test=test, run=folder, resume=True, progress=False)
    assert len(again.history) == len(whole.history) == 2
    same = ["best_epoch", "validation", "validation_at_start", *NAMES]
    for name in same:
        assert again.metrics[name] == pytest.approx(whole.metrics[name], abs=1e-3)
    assert again.metrics["best_epoch"] == 0
    names = [{p.name for p in run.iterdir()} for run in (folder, tmp_path / "whole")]
    assert names[0] == names[1] and "start.json" not in names[0]


@pytest.mark.large
def test_a_run_that_ends_early_is_resumed_to_the_same_end(parts, tmp_path, monkeypatch):
    """Killed after its last epoch: it does not go on, and finishes the best one."""

    def die(*arguments, **kwargs):
        raise Killed

    train, test = parts
    config = Config(
        **WORDS, **CLASSIFIER, **DESTROYING, label_words=8, epochs=6, patience=2
    )
    whole = fit(config, train, test=test, run=tmp_path / "whole", progress=False)
    assert len(whole.history) == 2 and whole.metrics["best_epoch"] == 0
    folder = tmp_path / "killed"
    for resume in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr("xmc_keras.training.loops.train_lightdxml.choose_beta", die)
            with pytest.raises(Killed):
                fit(config, train, run=folder, resume=resume, progress=False)
    assert {"best.npz", "start.json"} <= {path.name for path in folder.iterdir()}
    again = fit(config, train, test=test, run=folder, resume=True, progress=False)
    assert len(again.history) == 2
    same = ["best_epoch", "validation", "validation_at_start", "beta", *NAMES]
    assert {k: again.metrics[k] for k in same} == {k: whole.metrics[k] for k in same}
    names = [
        {path.name for path in run.iterdir()} for run in (folder, tmp_path / "whole")
    ]
    assert names[0] == names[1] and "start.json" not in names[0]
    assert on_validation(RunFolder(folder))["P@5"] < again.metrics["validation"]["P@5"]


def test_training_that_a_callback_ends(parts):
    """Also between two cycles, of which each is a call of `fit`."""

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    train, _ = parts
    config = Config(**WORDS, epochs=6, refresh=2)
    result = fit(config, train, callbacks=[Stop()], progress=False)
    assert [row["epoch"] for row in result.history] == [0, 1]


def test_a_warning_below_the_baselines(parts, caplog):
    train, test = parts
    config = Config(**WORDS, learning_rate=1e-9, epochs=1, beta=1.0)
    result = fit(config, train, test=test, progress=False)
    (warning,) = result.metrics["warnings"]
    assert warning in caplog.messages
    for name, found in result.metrics["baselines"].items():
        below = [key for key in NAMES if result.metrics[key] < found[key]]
        assert (f"{name}: {below[0]} " in warning) if below else name not in warning
    assert "On the test part" in warning and "label_words: 64" in warning
