import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.runs.run_history import RunHistory
from xmc_keras.training.callbacks.swa import SWA

STEPS, EPOCHS = 4, 3
HISTORY = {"history.csv", "digests.json"}


class Killed(BaseException):
    pass


class KillAt(keras.callbacks.Callback):
    """Ends the program after `steps` steps, or at the end of `epoch`."""

    def __init__(self, steps=None, epoch=None):
        super().__init__()
        self.left, self.epoch = steps, epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Killed

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise Killed


def make():
    """A model with dropout, in the state in which every run of it begins."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(6), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input([3]), *layers])
    model.compile(keras.optimizers.Adam(0.1), "mse", run_eagerly=True)
    model.optimizer.build(model.trainable_variables)
    return model


def dataset(epoch, step=0):
    rng = np.random.default_rng(epoch)
    x, y = rng.normal(size=[8, 3]), rng.normal(size=[8, 1])
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(2).skip(step)


def run(folder, kill=None, minutes=1e-9):
    """Trains, from a checkpoint if there is one; returns model, average, history."""
    model = make()
    swa = SWA(start_epoch=1, every=3)
    swa.set_model(model)
    checkpoint = RunCheckpoint(folder / "checkpoint", minutes, swa)
    checkpoint.restore(model)
    history = RunHistory(folder / "history.csv")
    callbacks = [swa, history, *([kill] if kill else []), checkpoint]
    epoch, step = checkpoint.epoch, checkpoint.step
    for epoch in range(epoch, EPOCHS):
        model.fit(
            dataset(epoch, step),
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
        step = 0
    swa.use_average()
    return model, swa, history.rows()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return run(tmp_path_factory.mktemp("unbroken"))


def assert_equal(result, other):
    (model, swa, rows), (other_model, other_swa, other_rows) = result, other
    assert swa.count == other_swa.count > 0
    assert rows == [pytest.approx(row) for row in other_rows]
    assert len(rows) == EPOCHS
    swa.use_average(), other_swa.use_average()
    for average in (True, False):
        weights = zip(model.get_weights(), other_model.get_weights(), strict=True)
        for weight, other_weight in weights:
            np.testing.assert_allclose(weight, other_weight, rtol=1e-5, atol=1e-6)
        if average:
            swa.use_trained(), other_swa.use_trained()
    steps = [int(m.optimizer.iterations.numpy()) for m in (model, other_model)]
    assert steps == [STEPS * EPOCHS] * 2


@pytest.mark.parametrize("steps", [4, 7, 11])
def test_killed_at_any_step_it_ends_the_same(tmp_path, unbroken, steps):
    with pytest.raises(Killed):
        run(tmp_path, KillAt(steps))
    assert_equal(run(tmp_path), unbroken)


def test_killed_again_and_again(tmp_path, unbroken):
    for kill in (KillAt(2), KillAt(1), KillAt(epoch=0), KillAt(epoch=1)):
        with pytest.raises(Killed):
            run(tmp_path, kill)
    assert_equal(run(tmp_path), unbroken)


@pytest.mark.parametrize("epoch", [1, 2])
def test_without_the_clock_the_last_epochs_end_counts(tmp_path, unbroken, epoch):
    with pytest.raises(Killed):
        run(tmp_path, KillAt(STEPS * epoch + 2), minutes=10)
    progress = json.loads((tmp_path / "checkpoint/progress.json").read_text())
    assert (progress["epoch"], progress["step"]) == (epoch, 0)
    assert_equal(run(tmp_path, minutes=10), unbroken)


def test_killed_while_a_checkpoint_is_written(tmp_path, unbroken):
    with pytest.raises(Killed):
        run(tmp_path, KillAt(6))
    # Before the new one is whole, and between the two renames.
    part = tmp_path / "checkpoint.part"
    part.mkdir()
    (part / "state.npz").write_bytes(b"half")
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    result = run(tmp_path)
    assert_equal(result, unbroken)
    assert {p.name for p in tmp_path.iterdir()} == {"checkpoint", *HISTORY}
    # After them: the new one counts, not the old.
    shutil.copytree(tmp_path / "checkpoint", tmp_path / "checkpoint.old")
    (tmp_path / "checkpoint.old/progress.json").write_text("no JSON")
    checkpoint = RunCheckpoint(tmp_path / "checkpoint")
    assert checkpoint.restore(make())
    assert (checkpoint.epoch, checkpoint.step) == (EPOCHS, 0)
    part.mkdir()
    RunFolder(tmp_path).remove_checkpoint()
    assert {p.name for p in tmp_path.iterdir()} == HISTORY


def test_no_checkpoint(tmp_path):
    checkpoint = RunCheckpoint(tmp_path / "checkpoint")
    assert checkpoint.restore(make()) is False
    assert (checkpoint.epoch, checkpoint.step, checkpoint.seconds) == (0, 0, 0)


def test_time_is_counted_over_restarts(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, KillAt(6))
    path = tmp_path / "checkpoint/progress.json"
    progress = json.loads(path.read_text())
    assert 0 < progress["seconds"] < 60
    path.write_text(json.dumps({**progress, "seconds": 1000.0}))
    (tmp_path / "checkpoint/digests.json").unlink()
    with pytest.raises(Killed):
        run(tmp_path, KillAt(1))
    assert 1000 < json.loads(path.read_text())["seconds"] < 1060


@pytest.mark.parametrize("content", [None, b"", b"nonsense", "half"])
def test_a_damaged_checkpoint(tmp_path, content):
    model = make()
    swa = SWA(start_epoch=0)
    checkpoint = RunCheckpoint(tmp_path / "checkpoint", swa=swa)
    checkpoint.set_model(model)
    checkpoint.save()
    assert checkpoint.restore(model)
    files = sorted((tmp_path / "checkpoint").iterdir())
    assert len(files) == 5
    for path in files:
        if path.name == "digests.json" and content is None:
            continue  # of a file that is not checked
        whole = path.read_bytes()
        damaged = whole[: len(whole) // 2] if content == "half" else content
        path.unlink() if content is None else path.write_bytes(damaged)
        with pytest.raises(BadInput, match="checkpoint.*: Expected "):
            checkpoint.restore(model)
        path.write_bytes(whole)
