"""Whether a function is being compiled by XLA."""

import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext


def in_xla():
    """True while a function with `jit_compile=True` is traced.

    XLA compiles for fixed shapes, so what may be as large as need be without it has
    to be as large as can be with it.
    A `tf.function` that was traced outside and is called from such a function stays
    what it was.

    Example:

    >>> seen = []
    >>> tf.function(lambda: seen.append(in_xla()), jit_compile=True)()
    >>> tf.function(lambda: seen.append(in_xla()))()
    >>> seen, in_xla()
    ([True, False], False)
    """
    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
