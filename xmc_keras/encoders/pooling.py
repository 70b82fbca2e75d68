"""Pooling of token states to one state per document."""

import keras
from keras import ops


def pool_mean(states, mask):
    """Mean of the token states of each document, over the tokens of a mask.

    Args:
        states: float tensor (batch, tokens, dim).
        mask: bool, int or float tensor (batch, tokens), 0 at tokens to ignore.

    Returns:
        Tensor (batch, dim) of the states' dtype; zeros for a row without tokens. The
        sum is computed in float32.

    Example:

    >>> states = ops.convert_to_tensor([[[1.0], [3.0], [9.0]]])
    >>> pool_mean(states, [[1, 1, 0]]).numpy().tolist()
    [[2.0]]
    """
    # A sum in bfloat16 loses small addends: a sum of ones stops at 256.
    mask = ops.cast(mask, "float32")
    count = ops.sum(mask, axis=1, keepdims=True)
    total = ops.einsum("bt,btd->bd", mask, ops.cast(states, "float32"))
    return ops.cast(total / ops.maximum(count, 1.0), states.dtype)


@keras.saving.register_keras_serializable(package="xmc_keras")
class LastToken(keras.layers.Layer):
    """Marks the last token of each document that is not padding.

    Padding may come before or after the tokens. A row of only padding has no mark.

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
