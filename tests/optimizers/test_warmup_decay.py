import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.optimizers.warmup_decay import WarmupDecay

DECAYS = st.sampled_from([True, False, "cosine"])


def expected(step, peak, total_steps, warmup_steps, decay):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if not decay:
        return peak
    if step >= total_steps:
        return 0.0
    done = (step - warmup_steps) / (total_steps - warmup_steps)
    if decay == "cosine":
        return peak * (1 + np.cos(np.pi * done)) / 2
    return peak * (1 - done)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.data(), DECAYS, st.floats(1e-6, 10))
def test_values(total_steps, data, decay, peak):
    warmup_steps = data.draw(st.integers(0, total_steps))
    schedule = WarmupDecay(peak, total_steps, warmup_steps, decay)
    steps = range(total_steps + 3)
    found = schedule(np.arange(len(steps)))
    wanted = [expected(s, peak, total_steps, warmup_steps, decay) for s in steps]
    np.testing.assert_allclose(found, wanted, 1e-5, 1e-6 * peak)


def test_shape():
    assert [float(WarmupDecay(2.0, 4)(s)) for s in range(5)] == [2, 1.5, 1, 0.5, 0]
    rates = np.asarray(WarmupDecay(1.0, 100, 10)(np.arange(100)))
    assert rates[0] == pytest.approx(0.1)  # the first step learns
    assert rates.max() == rates[9] == rates[10] == 1.0
    assert rates[99] > 0 and (np.diff(rates[10:]) < 0).all()
    constant = WarmupDecay(1.0, 100, 10, decay=False)
    assert float(constant(10_000)) == 1.0


def test_in_an_optimizer():
    optimizer = keras.optimizers.SGD(WarmupDecay(1.0, total_steps=4, warmup_steps=2))
    weight = keras.Variable(0.0)
    optimizer.build([weight])
    seen = []
    for _ in range(5):
        before = float(weight)
        optimizer.apply([np.float32(1.0)])
        seen.append(before - float(weight))
    np.testing.assert_allclose(seen, [0.5, 1.0, 1.0, 0.5, 0.0], atol=1e-6)


def test_config():
    schedule = WarmupDecay(0.3, 20, 5, decay=False)
    config = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == schedule.get_config()
    assert float(again(2)) == float(schedule(2))


@pytest.mark.parametrize("total_steps, warmup_steps", [(0, 0), (5, 6), (5, -1)])
def test_errors(total_steps, warmup_steps):
    message = f"Expected.*Received: warmup_steps={warmup_steps}, total_.*={total_steps}"
    with pytest.raises(ValueError, match=message):
        WarmupDecay(1.0, total_steps, warmup_steps)


def test_other_decays_are_refused():
    with pytest.raises(ValueError, match="True, False or \"cosine\". Received: 'half'"):
        WarmupDecay(1.0, 4, decay="half")
