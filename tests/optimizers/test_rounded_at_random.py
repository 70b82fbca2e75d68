import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.optimizers.row_updates import stochastic_round


def test_rounding_at_random_keeps_what_bfloat16_can_hold():
    values = np.array([[0.0, -0.0, 1.0, -3.140625, 1e-40, np.inf, -np.inf, 2**-126]])
    values = values.astype("float32")
    held = tf.cast(values, tf.bfloat16)
    for seed in range(20):
        again = stochastic_round(tf.cast(held, tf.float32), seed)
        np.testing.assert_array_equal(
            tf.bitcast(again, tf.int16), tf.bitcast(held, tf.int16)
        )
    assert np.isnan(stochastic_round(tf.constant([[np.nan]]), 0)).all()


@pytest.mark.parametrize("value", [1.001, -1.0052, 3e-5, 1e30])
def test_the_nearer_the_likelier(value):
    value = np.float32(value)
    low = np.uint32(value.view(np.uint32) & 0xFFFF0000)
    below, above = (x.view(np.float32) for x in (low, low + np.uint32(2**16)))
    share = (value - below) / (above - below)
    found = tf.cast(stochastic_round(tf.fill([1, 20_000], value), 3), tf.float32)
    assert set(np.unique(found)) == {below, above}
    # Five standard deviations of a mean over 20,000.
    assert np.mean(found == above) == pytest.approx(share, abs=0.018)


def test_steps_differ_and_repeat():
    rows = tf.fill([2, 100], 1.003)
    first, again, other = (
        tf.cast(stochastic_round(rows, seed), tf.float32).numpy() for seed in (1, 1, 2)
    )
    assert (first == again).all() and (first != other).any()
