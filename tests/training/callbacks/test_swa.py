import functools

import keras
import numpy as np
import pytest

from xmc_keras.training.callbacks.swa import SWA

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype("float32")
Y = RNG.normal(size=(12, 2)).astype("float32")
STEPS = 6  # an epoch


class Watch(keras.callbacks.Callback):
    """Notes the weights at every event; put after SWA it sees what SWA has done."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def note(self, event):
        self.seen.setdefault(event, []).append(self.model.get_weights())

    def on_epoch_begin(self, epoch, logs=None):
        self.note("epoch_begin")

    def on_train_batch_end(self, batch, logs=None):
        self.note("step")

    def on_test_begin(self, logs=None):
        self.note("test")

    def on_epoch_end(self, epoch, logs=None):
        self.note("epoch_end")


@functools.cache
def compiled_model():
    keras.utils.set_random_seed(1)
    frozen = keras.layers.Dense(3, trainable=False)
    model = keras.Sequential([keras.Input((3,)), frozen, keras.layers.Dense(2)])
    # No momentum, so that the weights are all there is to reset.
    model.compile(keras.optimizers.SGD(0.2), "mse")
    return model, model.get_weights()


@pytest.fixture
def model():
    """A model of which only the second layer is trained, at its first weights."""
    model, weights = compiled_model()
    model.set_weights(weights)
    return model


def fit(model, callbacks, epochs=3, first_epoch=0, steps=range(STEPS), test=True):
    documents = slice(2 * steps.start, 2 * steps.stop)
    model.fit(
        X[documents],
        Y[documents],
        batch_size=2,
        initial_epoch=first_epoch,
        epochs=epochs,
        shuffle=False,
        callbacks=callbacks,
        validation_data=(X, Y) if test else None,
        verbose=0,
    )


def same(a, b, tolerance=1e-6):
    return all(np.allclose(x, y, 0, tolerance) for x, y in zip(a, b, strict=True))


def mean(snapshots):
    return [np.mean(weights, axis=0) for weights in zip(*snapshots)]


@pytest.mark.parametrize("start_epoch, every", [(0, 1), (1, 4), (2, 3)])
def test_average_is_the_mean_of_snapshots(model, start_epoch, every):
    swa, watch = SWA(start_epoch, every), Watch()
    fit(model, [swa, watch], test=False)
    steps = watch.seen["step"]
    entries = steps[start_epoch * STEPS :][every - 1 :: every]
    assert swa.count == len(entries) > 1
    assert same(model.get_weights(), mean(entries))
    assert not same(model.get_weights(), steps[-1], 1e-3)


def test_each_event_sees_the_right_weights(model):
    start, plain, watch = model.get_weights(), Watch(), Watch()
    fit(model, [plain])
    model.set_weights(start)
    fit(model, [SWA(1, 2), watch])
    seen, steps = watch.seen, watch.seen["step"]
    # Averaging changes nothing about training,
    for a, b in zip(steps, plain.seen["step"], strict=True):
        assert same(a, b)
    # an epoch continues where the one before ended,
    for epoch in (1, 2):
        assert same(seen["epoch_begin"][epoch], steps[epoch * STEPS - 1])
    # and evaluation and epoch's end have the average, once there is one.
    entries = steps[STEPS:][1::2]
    averages = [steps[STEPS - 1], mean(entries[:3]), mean(entries)]
    for event in ("test", "epoch_end"):
        for a, b in zip(seen[event], averages, strict=True):
            assert same(a, b)


def test_validation_metrics_are_those_of_the_average(model):
    watch = Watch()
    fit(model, [SWA(0, 1), watch], epochs=1)
    averaged = model.evaluate(X, Y, verbose=0)
    assert model.history.history["val_loss"][0] == pytest.approx(averaged, 1e-5)
    model.set_weights(watch.seen["step"][-1])
    assert averaged != pytest.approx(model.evaluate(X, Y, verbose=0), 1e-3)


def test_without_an_average_the_model_is_as_trained(model):
    watch, swa = Watch(), SWA(start_epoch=3, every=1)
    fit(model, [swa, watch])
    assert swa.count == 0
    assert same(model.get_weights(), watch.seen["step"][-1], 0)
    swa.use_average()
    swa.use_trained()
    assert same(model.get_weights(), watch.seen["step"][-1], 0)


def test_evaluation_after_fit_keeps_the_average(model):
    watch, swa = Watch(), SWA(0, 1)
    fit(model, [swa, watch])
    average = mean(watch.seen["step"])
    model.evaluate(X, Y, callbacks=[swa], verbose=0)
    assert same(model.get_weights(), average)
    # The trained weights are not lost: another fit continues with them.
    swa.use_trained()
    assert same(model.get_weights(), watch.seen["step"][-1], 0)
    swa.use_average()
    assert same(model.get_weights(), average)
    fit(model, [swa, watch], epochs=4, first_epoch=3)
    assert same(watch.seen["epoch_begin"][-1], watch.seen["step"][3 * STEPS - 1], 0)
    assert same(model.get_weights(), mean(watch.seen["step"]))


@pytest.mark.parametrize("last_step", [4, 5])
def test_continues_in_a_new_process(model, last_step, tmp_path):
    """Killed within the second epoch and continued, it ends with the same average."""
    start = model.get_weights()
    fit(model, [SWA(1, 2)], test=False)
    expected = model.get_weights()

    model.set_weights(start)
    swa = SWA(1, 2)
    fit(model, [swa], epochs=1, test=False)
    fit(model, [swa], epochs=2, first_epoch=1, steps=range(last_step), test=False)
    swa.use_trained()
    np.savez(tmp_path / "swa.npz", **swa.state())

    swa = SWA(1, 2)
    with np.load(tmp_path / "swa.npz") as state:
        swa.set_state(state)
    assert swa.count == last_step // 2
    rest = range(last_step, STEPS)
    fit(model, [swa], epochs=2, first_epoch=1, steps=rest, test=False)
    fit(model, [swa], epochs=3, first_epoch=2, test=False)
    assert swa.count == STEPS
    assert same(model.get_weights(), expected)


def test_state_before_the_first_entry(model):
    swa = SWA(0, 7)
    fit(model, [swa], epochs=1)
    state = swa.state()
    assert set(state) == {"count", "steps"}
    again, watch = SWA(0, 7), Watch()
    again.set_state(state)
    fit(model, [again, watch], epochs=1)
    assert again.count == 1  # the seventh step in all
    assert same(model.get_weights(), watch.seen["step"][0])


@pytest.mark.parametrize("start_epoch, every", [(-1, 1), (0, 0)])
def test_errors(start_epoch, every):
    message = f"Expected.*Received: start_epoch={start_epoch}, every={every}"
    with pytest.raises(ValueError, match=message):
        SWA(start_epoch, every)
