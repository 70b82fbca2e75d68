import pytest
import tensorflow as tf

from xmc_keras.ops.xla import in_xla


@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_functions_within_functions(jit_compile):
    seen = []

    def body(i):
        seen.append(in_xla())
        return [i + 1]

    @tf.function
    def inner(x):
        seen.append(in_xla())
        return tf.while_loop(lambda i: i < 2, body, [x])

    tf.function(lambda: inner(tf.constant(0)), jit_compile=jit_compile)()
    assert len(seen) >= 2 and set(seen) == {jit_compile}
    assert not in_xla()
