"""Stochastic weight averaging (SWA)."""

import keras
import numpy as np

from xmc_keras.ops.distribution.sharded_table import (
    assign_local,
    deal_out,
    gather_shards,
    read_local,
)


class SWA(keras.callbacks.Callback):
    """Equal-weight average of the weights over the later part of training.

    From epoch `start_epoch` on, the trainable weights are added to the average every
    `every` steps. Evaluation within `fit` uses the average, and the model holds it at
    the end of an epoch and of `fit`: put this callback before those that save the
    model. The average is in host memory, so it costs no GPU memory, but one copy from
    the device every `every` steps.

    The authors' code also includes the weights before the first step of that epoch (it
    counts step 0); here only weights after training steps are averaged.

    Args:
        start_epoch: int. First epoch to average, counted from 0.
        every: int. Steps between two additions to the average. Defaults to `100`.

    Attributes:
        count: int. Number of weights averaged so far.

    Example:

    >>> swa = SWA(start_epoch=1, every=50)
    >>> swa.count
    0

    Reference:
        [Averaging weights leads to wider optima and better
        generalization](https://arxiv.org/abs/1803.05407), algorithm 1.
    """

    def __init__(self, start_epoch, every=100):
        super().__init__()
        if start_epoch < 0 or every < 1:
            raise ValueError(
                "Expected `start_epoch` >= 0 and `every` >= 1. Received: "
                f"start_epoch={start_epoch}, every={every}"
            )
        self.start_epoch = start_epoch
        self.every = every
        self.count = 0
        self._average = None
        self._trained = None  # the trained weights while the model holds the average
        self._evaluating = False
        self._epoch = 0
        self._steps = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self.use_trained()

    def on_train_batch_end(self, batch, logs=None):
        if self._epoch < self.start_epoch:
            return
        # Counted here, because `batch` starts from zero in a resumed epoch.
        self._steps += 1
        if self._steps % self.every:
            return
        weights = list(map(read_local, self.model.trainable_variables))
        if self._average is None:
            self._average = [np.zeros(w.shape, w.dtype) for w in weights]
        self.count += 1
        for average, weight in zip(self._average, weights):
            average += (weight - average) / self.count

    # Keras evaluates before it ends the epoch. Callbacks after this one find the
    # average in the model at the end of an epoch.

    def on_test_begin(self, logs=None):
        # After `fit` the model already holds the average, and keeps it.
        self._evaluating = self._trained is None
        self.use_average()

    def on_test_end(self, logs=None):
        if self._evaluating:
            self.use_trained()

    def on_epoch_end(self, epoch, logs=None):
        self.use_average()

    def on_train_end(self, logs=None):
        self.use_average()

    def use_average(self):
        """Sets the model's weights to the average, if there is one yet."""
        if self.count and self._trained is None:
            self._trained = list(map(read_local, self.model.trainable_variables))
            self._assign(self._average)

    def use_trained(self):
        """Sets the model's weights back to the trained ones."""
        if self._trained is not None:
            self._assign(self._trained)
            self._trained = None

    def _assign(self, values):
        for variable, value in zip(self.model.trainable_variables, values):
            assign_local(variable, value)

    def state(self):
        """The state to resume from, as a dictionary of arrays for `set_state`.

        Of workers with a sharded table, all have to call it; that of the chief counts.
        """
        average = {}
        if self._average is not None:
            pairs = zip(self.model.trainable_variables, self._average)
            for i, (variable, value) in enumerate(pairs):
                average[f"weight_{i}"] = gather_shards(variable, value)
        counts = {"count": np.array(self.count), "steps": np.array(self._steps)}
        return counts | average

    def set_state(self, state):
        """Continues from the `state()` of an earlier run of the same model."""
        self.count = int(state["count"])
        self._steps = int(state["steps"])
        tables = [np.array(state[f"weight_{i}"]) for i in range(len(state) - 2)]
        if self.model is not None:
            variables = self.model.trainable_variables
            tables = [deal_out(*pair) for pair in zip(variables, tables)]
        self._average = tables or None
