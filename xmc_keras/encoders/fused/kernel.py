"""Compiling a function and its gradient to one XLA kernel each."""

import tensorflow as tf


def fuse(value, gradient, holds=()):
    """Compiles a function as one XLA kernel, and its gradient as another.

    Each elementwise operation is a pass over memory, and these passes take most of a
    training step on a CPU; a kernel makes a single pass. The surrounding step may be
    compiled or not. Each shape is compiled once.

    Args:
        value: function. Its positional arguments are tensors, its keyword arguments
            any hashable values. Returns a tensor, and a tuple of residuals for the
            backward pass.
        gradient: function of the gradient with respect to that tensor, of the tuple of
            residuals, and of the same keyword arguments. Returns a gradient or `None`
            for each tensor.
        holds: tuple of int. Positions of the tensors that `gradient` needs; they come
            first in the tuple of residuals. Defaults to `()`.

    Returns:
        A function of the arguments of `value` that returns its tensor.

    Example:

    >>> square = fuse(
    ...     lambda x, scale: (scale * x * x, ()),
    ...     lambda slope, residuals, scale: [2 * scale * residuals[0] * slope],
    ...     holds=(0,))
    >>> x = tf.constant([1.0, 3.0])
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = square(x, scale=2.0)
    >>> y.numpy().tolist(), tape.gradient(y, x).numpy().tolist()
    ([2.0, 18.0], [4.0, 12.0])
    """
    value = tf.function(value, jit_compile=True)
    gradient = tf.function(gradient, jit_compile=True)

    def call(*tensors, **options):
        @tf.custom_gradient
        def compute(*tensors):
            result, residuals = value(*tensors, **options)
            residuals = *(tensors[i] for i in holds), *residuals
            return result, lambda of_result: gradient(of_result, residuals, **options)

        return compute(*map(tf.convert_to_tensor, tensors))

    return call
