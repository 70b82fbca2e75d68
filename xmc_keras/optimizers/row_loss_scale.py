"""Loss scaling for sparse row gradients."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="xmc_keras")
class RowLossScale(keras.optimizers.LossScaleOptimizer):
    """`keras.optimizers.LossScaleOptimizer` that checks every row of a gradient.

    Keras checks `tf.IndexedSlices` for overflow in a dense table of flags, as large as
    the label table. For a repeated row it sees one occurrence only, so an overflow in
    another reaches the weights. Here all values of the gradient are checked.

    Args:
        inner_optimizer: a Keras optimizer, for example a `RowwiseAdamW`.
        **kwargs: other arguments of `LossScaleOptimizer`.

    Example:

    >>> from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW
    >>> RowLossScale(RowwiseAdamW(1e-4), initial_scale=1024.0).initial_scale
    1024.0
    """

    def check_finite(self, grads):
        return super().check_finite(
            [g.values if isinstance(g, tf.IndexedSlices) else g for g in grads]
        )
