"""Stopping when training diverges."""

import math

import keras

from xmc_keras.training.callbacks.diverged import Diverged


class FiniteLoss(keras.callbacks.Callback):
    """Raises `Diverged` if a training or validation loss is infinite or NaN.

    Put it before the callbacks that save a model, because it cannot recover from NaN.
    """

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self.check("loss", logs)

    def on_epoch_end(self, epoch, logs=None):
        self.check("val_loss", logs)

    def check(self, key, logs):
        if not math.isfinite(logs[key]):
            # float16 ends at 65,504; bfloat16 has the range of float32.
            policy = keras.config.dtype_policy().name
            wider = policy == "mixed_float16"
            raise Diverged(
                f"Expected training to converge. Received: {key} {logs[key]} in epoch "
                f"{self.epoch + 1}. Lower learning_rate and head_learning_rate, or "
                f"set {'precision: mixed_bfloat16 or ' if wider else ''}clip_norm."
            )
