import numpy as np
import tensorflow as tf
from scipy.special import softmax

from xmc_keras.encoders.fused.attention import (
    attention_weights,
    fused_attention_weights,
)

RNG = np.random.default_rng(0)
SCORES, WEIGHT = RNG.normal(0, 4, size=(2, 3, 2, 5, 5)).astype("float32")
MASK = np.zeros((3, 1, 1, 5), "float32")
MASK[1, ..., 3:] = MASK[2, ..., 1:] = -1e9
SEED = tf.constant([3, 4])
EXPECTED = softmax(SCORES * 0.5 + MASK, axis=-1)


def test_values_are_those_of_scipy():
    plain, _ = attention_weights(tf.constant(SCORES), MASK, SEED, 0.5, 0)
    kernel = fused_attention_weights(SCORES, MASK, SEED, scale=0.5, dropped=0)
    for found in (plain, kernel):
        np.testing.assert_allclose(found, EXPECTED, 1e-5, 1e-6)
    assert not np.asarray(kernel)[1, ..., 3:].any()


def test_the_gradient_is_that_of_the_formula():
    scores = tf.constant(SCORES)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        found = fused_attention_weights(scores, MASK, SEED, scale=0.5, dropped=0)
    slope = tape.gradient(found, scores, WEIGHT)
    for place in np.ndindex(3, 2, 5):
        row = EXPECTED[place]
        jacobian = 0.5 * (np.diag(row) - np.outer(row, row))
        np.testing.assert_allclose(slope[place], jacobian @ WEIGHT[place], 1e-4, 1e-6)


def test_what_is_dropped_gets_no_gradient():
    scores = tf.constant(RNG.normal(size=(4, 2, 16, 16)), "float32")
    mask = tf.zeros((4, 1, 1, 16))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(scores)
        named = {"scale": 1.0, "dropped": 1 << 15}
        found = fused_attention_weights(scores, mask, SEED, **named)
        plain = tf.nn.softmax(scores)
        again = tf.where(found != 0, 2 * plain, 0.0)
        losses = [tf.reduce_sum(tf.sin(x)) for x in (found, again)]
    assert 0.4 < np.mean(np.asarray(found) != 0) < 0.6
    np.testing.assert_allclose(found, again, 1e-5, 1e-6)
    ours, expected = (tape.gradient(loss, scores) for loss in losses)
    np.testing.assert_allclose(ours, expected, 1e-4, 1e-6)
