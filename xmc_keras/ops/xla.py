"""Detection of XLA compilation."""

import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

from xmc_keras.ops.log_level import apply_log_level

apply_log_level()  # whatever is compiled has this module in its imports


def in_xla():
    """Whether the code runs while a function with `jit_compile=True` is traced.

    XLA compiles for fixed shapes: a tensor whose size depends on the data has to get
    its maximum size there. A `tf.function` that was first traced elsewhere and is then
    called from a compiled function keeps its first trace.

    Example:

    >>> seen = []
    >>> tf.function(lambda: seen.append(in_xla()), jit_compile=True)()
    >>> tf.function(lambda: seen.append(in_xla()))()
    >>> seen, in_xla()
    ([True, False], False)
    """
    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
