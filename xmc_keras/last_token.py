"""Where a document ends."""

import keras
from keras import ops


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
