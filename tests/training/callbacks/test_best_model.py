import types

import pytest

from xmc_keras.runs.run_history import RunHistory
from xmc_keras.training.callbacks.best_model import BestModel

KEY = "val_precision_at_5"


@pytest.fixture
def run(tmp_path):
    """Stands for a run folder; keeps what it is given to save."""
    run = types.SimpleNamespace(history_path=tmp_path / "history.csv", saved=[])
    run.save_model = lambda model, name: run.saved.append((model, name))
    return run


def train(run, values, first=0, restore=False):
    best, history = BestModel(run), RunHistory(run.history_path)
    if restore:
        best.restore(first)
    for epoch, value in enumerate(values, first):
        best.set_model(f"model {epoch}")
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
        best.set_model(f"model {epoch}")
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
