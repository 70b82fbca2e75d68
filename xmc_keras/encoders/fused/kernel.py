"""Functions of tensors as single kernels."""

import tensorflow as tf


def fuse(value, gradient, holds=()):
    """A function as one kernel of XLA, and its gradient as another.

    Operations value by value each pass over memory, which is what most of a training
    step on a CPU goes into; a kernel passes once. The step around them need not be
    compiled, and may be. Each shape is compiled once.

    Args:
        value: function of tensors by place, and of other things, which have to be
            hashable, by name. Returns a tensor and a tuple of what the gradient wants
            beside.
        gradient: function of the gradient by that tensor, of the tuple of what is held,
            and of the same things by name. Returns a gradient for each tensor, or None.
        holds: places of the tensors that the gradient wants, which come first in its
            tuple. Defaults to none.

    Returns:
        A function of the arguments of `value` that returns the tensor.

    Example:

    >>> square = fuse(
    ...     lambda x, scale: (scale * x * x, ()),
    ...     lambda slope, held, scale: [2 * scale * held[0] * slope],
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

    def call(*tensors, **named):
        @tf.custom_gradient
        def computed(*tensors):
            result, held = value(*tensors, **named)
            held = *(tensors[i] for i in holds), *held
            return result, lambda of_result: gradient(of_result, held, **named)

        return computed(*map(tf.convert_to_tensor, tensors))

    return call
