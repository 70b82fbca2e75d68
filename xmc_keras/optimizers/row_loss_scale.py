"""Loss scaling for gradients of rows."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="xmc_keras")
class RowLossScale(keras.optimizers.LossScaleOptimizer):
    """`keras.optimizers.LossScaleOptimizer` that looks at every row of a gradient.

    Keras checks whether a gradient of rows is finite on a dense table of flags: of a
    row that repeats it sees one occurrence only, so an overflow in another reaches
    the weights, and the table is as large as that of the labels.

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
