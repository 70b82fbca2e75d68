import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.encoders.fused.kernel import fuse


def weighted(x, y, ids, power):
    power_of_x = x**power
    return tf.reduce_sum(y * power_of_x, axis=1) + tf.cast(ids, x.dtype), (power_of_x,)


def of_weighted(slope, held, power):
    x, y, power_of_x = held
    slope = slope[:, None]
    return [slope * y * power * x ** (power - 1), slope * power_of_x, None]


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_value_and_gradients_of_several_arguments(jit_compile):
    function = fuse(weighted, of_weighted, (0, 1))

    def both(x, y, ids):
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            value = function(x, y, ids, power=3)
        return value, tape.gradient(value, [x, y])

    if jit_compile is not None:
        both = tf.function(both, jit_compile=jit_compile)
    for rows in (2, 5):
        rng = np.random.default_rng(rows)
        x, y = rng.normal(size=(2, rows, 4)).astype("float32")
        value, slopes = both(*map(tf.constant, (x, y)), tf.range(rows))
        expected = (y * x**3).sum(axis=1) + np.arange(rows)
        np.testing.assert_allclose(value, expected, 1e-5, 1e-5)
        np.testing.assert_allclose(slopes[0], 3 * y * x**2, 1e-5, 1e-5)
        np.testing.assert_allclose(slopes[1], x**3, 1e-5, 1e-5)


def test_each_is_one_compiled_kernel():
    x, y, ids = tf.ones((2, 3)), tf.ones((2, 3)), tf.range(2)
    function = fuse(weighted, of_weighted, (0, 1))

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x, y, ids, power=2)
        return tape.gradient(value, x)

    operations = gradient.get_concrete_function().graph.get_operations()
    called = [op for op in operations if op.type.endswith("Call")]
    assert [op.get_attr("_XlaMustCompile") for op in called] == [True, True]
