import types

import keras
import numpy as np
import pytest

from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.run_history import RunHistory
from xmc_keras.training.callbacks.best_model import BestModel

KEY = "val_precision_at_5"


@pytest.fixture
def run(tmp_path):
    """Stands for a run folder; keeps what it is given to save."""
    run = types.SimpleNamespace(history_path=tmp_path / "history.csv", saved=[])
    run.save_model = lambda model, name: run.saved.append((model, name))
    return run


class Named(str):
    """Stands for a model without variables."""

    variables = ()


def train(run, values, first=0, restore=False):
    best, history = BestModel(run), RunHistory(run.history_path)
    if restore:
        best.restore(first)
    for epoch, value in enumerate(values, first):
        best.set_model(Named(f"model {epoch}"))
        best.on_epoch_end(epoch, {KEY: value, "loss": 1 - value})
        history.on_epoch_end(epoch, {KEY: value, "loss": 1 - value})


def test_saves_what_is_better_than_all_before(run):
    train(run, [0.2, 0.3, 0.25, 0.3, 0.31])
    assert run.saved == [("model 0", "best"), ("model 1", "best"), ("model 4", "best")]


def test_even_a_first_model_that_is_always_wrong(run):
    train(run, [0.0, 0.0])
    assert run.saved == [("model 0", "best")]


def test_the_last_model_where_validation_cannot_compare(run):
    best = BestModel(run, monitor=None)
    best.restore(1)
    for epoch in (1, 2, 3):
        best.set_model(Named(f"model {epoch}"))
        best.on_epoch_end(epoch, {KEY: 1 / epoch})
    assert run.saved == [(f"model {epoch}", "best") for epoch in (1, 2, 3)]


def test_continues_from_the_history(run):
    train(run, [0.1, 0.3, 0.2])
    run.saved.clear()
    train(run, [0.25, 0.3, 0.1 + 0.2 + 1e-9], first=3, restore=True)
    assert run.saved == [("model 5", "best")]


def test_an_epoch_that_is_trained_again_does_not_count(run):
    train(run, [0.1, 0.3])
    run.saved.clear()
    train(run, [0.3, 0.2], first=1, restore=True)
    assert run.saved == [("model 1", "best")]
    rows = RunHistory(run.history_path).rows()
    assert [(row["epoch"], row[KEY]) for row in rows] == [(0, 0.1), (1, 0.3), (2, 0.2)]


def test_nothing_to_resume(run):
    train(run, [0.1], restore=True)
    assert run.saved == [("model 0", "best")]


def test_a_key_that_is_missing(run):
    with pytest.raises(KeyError, match="val_precision_at_1"):
        BestModel(run, monitor="val_precision_at_1").on_epoch_end(0, {KEY: 0.1})


def precisions(value):
    return {f"val_precision_at_{k}": value / k for k in (1, 3, 5)}


def test_the_start_counts(run):
    best = BestModel(run)
    best.count_start(Named("start"), {KEY: 0.3})
    for epoch, value in enumerate([0.2, 0.3]):
        best.set_model(Named(f"model {epoch}"))
        best.on_epoch_end(epoch, {KEY: value})
    assert run.saved == [("start", "best")] and best.best_epoch == 0
    best.on_epoch_end(2, {KEY: 0.31})
    assert len(run.saved) == 2 and best.best_epoch == 3


def test_the_start_is_known_after_a_restart(run):
    first = BestModel(run)
    first.count_start(Named("start"), precisions(0.5))
    train(run, [0.05])
    again = BestModel(run)
    again.restore(1)
    assert (again.best, again.best_epoch) == (0.1, 0)
    found = again.summary(9)
    assert found["best_epoch"] == 0
    assert found["validation"] == found["validation_at_start"]
    assert found["validation"] == pytest.approx({"P@1": 50, "P@3": 50 / 3, "P@5": 10})


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"epoch": 0}', '{"epoch": "x"}'])
def test_a_start_that_is_damaged(run, content):
    run.history_path.with_name("start.json").write_text(content)
    with pytest.raises(BadInput, match="metrics before training.*overwrite"):
        BestModel(run).restore(0)


def test_a_start_that_is_another(run):
    BestModel(run).count_start(Named("start"), precisions(0.5))
    path = run.history_path.with_name("start.json")
    path.write_text(path.read_text().replace("0.5", "0.9"))
    with pytest.raises(BadInput, match="as it was written"):
        BestModel(run).restore(0)


def test_the_mean_of_several_metrics(run):
    best = BestModel(run, ["a", "b"])
    best.set_model(Named("model"))
    for epoch, (a, b) in enumerate([(0.5, 0.3), (0.7, 0.1), (0.1, 0.8)]):
        best.on_epoch_end(epoch, {"a": a, "b": b})
    assert best.best == pytest.approx(0.45) and best.best_epoch == 3
    assert len(run.saved) == 2


@pytest.mark.parametrize(
    "start, values, epochs",
    [
        (None, [0.1, 0.2, 0.1, 0.2, 0.3], 4),  # the second is the best for two epochs
        (None, [0.1, 0.05, 0.2, 0.1, 0.3, 0.2, 0.1], 7),
        (0.5, [0.1, 0.2, 0.3], 2),
        (0.0, [0.1, 0.2, 0.3], 3),
    ],
)
def test_patience(run, start, values, epochs):
    best, history = BestModel(run, patience=2), RunHistory(run.history_path)
    model = types.SimpleNamespace(stop_training=False, variables=())
    best.set_model(model)
    if start is not None:
        best.count_start(model, {KEY: start})
    for epoch, value in enumerate(values):
        assert not best.exhausted(epoch)
        best.on_epoch_end(epoch, {KEY: value})
        history.on_epoch_end(epoch, {KEY: value})
        if model.stop_training:
            break
    assert epoch + 1 == epochs
    again = BestModel(run, patience=2)
    again.restore(epochs)
    assert again.exhausted(epochs) is model.stop_training
    assert not again.exhausted(epochs - 1)


@pytest.mark.parametrize("folder", [True, False])
def test_the_state_of_the_best_epoch_is_used(tmp_path, folder):
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])
    run = types.SimpleNamespace(path=tmp_path, history_path=tmp_path / "history.csv")
    best = BestModel(run if folder else None, KEY, state=True)
    best.set_model(model)
    for epoch, value in enumerate([0.1, 0.3, 0.2]):
        model.set_weights([np.full((2, 1), epoch), np.full(1, 10 * epoch)])
        best.on_epoch_end(epoch, {KEY: value})
    best.use_best()
    assert [w.ravel().tolist() for w in model.get_weights()] == [[1, 1], [10]]
    if folder:
        (tmp_path / "best.npz").write_bytes(b"PK")
        with pytest.raises(BadInput, match="weights of the best epoch.*overwrite"):
            best.use_best()
