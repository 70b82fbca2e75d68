"""One state for a document, from those of its tokens."""

import keras
from keras import ops


def pool_mean(states, mask):
    """The mean of the states of those tokens that a mask has.

    Args:
        states: float tensor (batch, tokens, dim).
        mask: bool, int or float tensor (batch, tokens), 0 where a state counts not.

    Returns:
        Tensor (batch, dim) of the states' dtype; zeros for a row without tokens.

    Example:

    >>> states = ops.convert_to_tensor([[[1.0], [3.0], [9.0]]])
    >>> pool_mean(states, [[1, 1, 0]]).numpy().tolist()
    [[2.0]]
    """
    mask = ops.cast(mask, states.dtype)
    # In bfloat16 a sum of ones stops growing at 256.
    count = ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True)
    total = ops.einsum("bt,btd->bd", mask, states)
    return total / ops.cast(ops.maximum(count, 1.0), states.dtype)


@keras.saving.register_keras_serializable(package="xmc_keras")
class LastToken(keras.layers.Layer):
    """Marks the last token of each document that is not padding.

    Padding may stand before or behind the tokens. A row of padding alone has no mark.

    Example:

    >>> mask = ops.convert_to_tensor([[1, 1, 0], [0, 1, 1]])
    >>> LastToken()(mask).numpy().tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """

    def call(self, padding_mask):
        real = ops.cast(padding_mask, "int32")
        last = ops.equal(ops.cumsum(real, axis=1), ops.sum(real, axis=1, keepdims=True))
        return ops.cast(last, self.compute_dtype) * ops.cast(real, self.compute_dtype)

    def compute_output_shape(self, padding_mask_shape):
        return padding_mask_shape
