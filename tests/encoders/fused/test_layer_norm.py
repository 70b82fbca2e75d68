import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.encoders.fused.layer_norm import (
    add_and_normalize,
    fused_add_and_normalize,
    fused_normalize,
    normalize,
)

RNG = np.random.default_rng(0)
X, MORE, WEIGHT = RNG.normal(2, 3, size=(3, 4, 5, 8))
GAMMA, BETA = RNG.normal(size=(2, 8))
EPSILON = 1e-3


def oracle(x):
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + EPSILON) * GAMMA + BETA


def by_differences(function, x):
    """The gradient of the weighted sum of `function(x)`, number by number."""
    slope = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-5
        rise = (function(x + step) - function(x - step)) * WEIGHT
        slope[place] = rise.sum() / 2e-5
    return slope


def floats(*arrays):
    return [tf.constant(x, "float32") for x in arrays]


def test_values_are_those_of_numpy_and_of_the_kernel():
    tensors = floats(X, GAMMA, BETA)
    np.testing.assert_allclose(normalize(*tensors, EPSILON)[0], oracle(X), 1e-4, 1e-5)
    np.testing.assert_allclose(
        fused_normalize(*tensors, epsilon=EPSILON), oracle(X), 1e-4, 1e-5
    )
    tensors = *floats(X, MORE, GAMMA, BETA), tf.constant([1, 2])
    value, _ = add_and_normalize(*tensors, EPSILON, 0)
    np.testing.assert_allclose(value, oracle(X + MORE), 1e-4, 1e-5)


def test_gradients_are_those_by_differences():
    tensors, weight = floats(X, MORE, GAMMA, BETA), tf.constant(WEIGHT, "float32")
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = fused_add_and_normalize(
            *tensors, tf.constant([1, 2]), epsilon=EPSILON, dropped=0
        )
    of_states, of_more, of_gamma, of_beta = tape.gradient(value, tensors, weight)
    expected = by_differences(oracle, X + MORE)
    np.testing.assert_allclose(of_states, expected, 1e-3, 1e-4)
    np.testing.assert_allclose(of_more, expected, 1e-3, 1e-4)
    standard = (oracle(X + MORE) - BETA) / GAMMA
    np.testing.assert_allclose(of_gamma, (standard * WEIGHT).sum((0, 1)), 1e-3, 1e-3)
    np.testing.assert_allclose(of_beta, WEIGHT.sum((0, 1)), 1e-4, 1e-4)


def test_what_is_dropped_gets_no_gradient():
    tensors = floats(np.zeros((64, 8)), RNG.normal(size=(64, 8)), np.ones(8), BETA)
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = fused_add_and_normalize(
            *tensors, tf.constant([1, 2]), epsilon=EPSILON, dropped=1 << 15
        )
        loss = tf.reduce_sum(value**3)
    of_states, of_more = (np.asarray(x) for x in tape.gradient(loss, tensors[:2]))
    kept = of_more != 0
    assert 0.4 < kept.mean() < 0.6
    np.testing.assert_allclose(of_more[kept], 2 * of_states[kept], 1e-4, 1e-5)
    states, more = tensors[0].numpy(), np.where(kept, 2 * tensors[1].numpy(), 0)
    expected, _ = normalize(*floats(states + more, np.ones(8), BETA), EPSILON)
    np.testing.assert_allclose(value, expected, 1e-4, 1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_normalises_in_float32(dtype):
    x = tf.cast(1000 + X, dtype)
    value = fused_normalize(x, *floats(GAMMA, BETA), epsilon=EPSILON)
    assert value.dtype == dtype
    expected = oracle(np.asarray(tf.cast(x, "float64")))
    np.testing.assert_allclose(tf.cast(value, "float64"), expected, 0.02, 0.02)
