import math

import pytest

from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.callbacks.finite_loss import FiniteLoss


def test_a_loss_that_is_no_number_in_training_or_validation():
    finite = FiniteLoss()
    finite.on_epoch_begin(2)
    finite.on_train_batch_end(0, {"loss": 3.5})
    finite.on_epoch_end(2, {"loss": 3.5, "val_loss": 1.0})
    for value in (math.nan, math.inf):
        with pytest.raises(BadInput, match=f"Received: loss {value} in epoch 3. Lower"):
            finite.on_train_batch_end(1, {"loss": value})
        with pytest.raises(BadInput, match=f"Received: val_loss {value} in epoch 3"):
            finite.on_epoch_end(2, {"loss": 1.0, "val_loss": value})
