"""Keeping the model that is best on the validation split, or the last one."""

import keras
import numpy as np

from xmc_keras.runs.run_history import RunHistory

MONITOR = "val_precision_at_5"


def choose_monitor(trained, validated):
    """The metric to compare epochs by; None if validation cannot compare them.

    If no label of the validation documents is on a document to train on, as in a set
    of one document a label, every epoch is as wrong as the next.

    Args:
        trained, validated: csr matrices (documents, labels) of the documents to train
            on and to validate on; later columns of `validated` are labels that
            training never saw.

    Example:

    >>> from scipy.sparse import csr_matrix
    >>> trained = csr_matrix([[1, 0], [1, 0]])
    >>> choose_monitor(trained, csr_matrix([[1, 0, 1]]))
    'val_precision_at_5'
    >>> choose_monitor(trained, csr_matrix([[0, 1, 1]])) is None
    True
    """
    labels = np.intersect1d(trained.indices, validated.indices)
    return MONITOR if len(labels) else None


class BestModel(keras.callbacks.Callback):
    """Saves the model whenever validation improves, to its run folder or in memory.

    Put it after `SWA` in the list of callbacks, so that it saves the average.

    Args:
        run: a `RunFolder`; `None` keeps the weights in memory.
        monitor: string. Key of the logs, higher is better; `None` keeps the last
            model, where validation cannot compare epochs. Defaults to
            `"val_precision_at_5"`.

    Attributes:
        best: float, or None before the end of the first epoch or without `monitor`.

    Example:

    >>> from xmc_keras.runs.run_folder import RunFolder
    >>> BestModel(RunFolder("runs/quickstart")).best is None
    True
    """

    def __init__(self, run=None, monitor=MONITOR):
        super().__init__()
        self.run = run
        self.monitor = monitor
        self.best = None
        self._weights = None

    def restore(self, epoch):
        """Reads the best value before `epoch` from the history of the run."""
        if self.monitor is None:
            return
        rows = RunHistory(self.run.history_path).rows(before=epoch)
        self.best = max((row[self.monitor] for row in rows), default=None)

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor is not None:
            value = (logs or {})[self.monitor]
            if self.best is not None and value <= self.best:
                return
            self.best = value
        if self.run is None:
            self._weights = self.model.get_weights()
        else:
            self.run.save_model(self.model, "best")

    def use_best(self):
        """Sets the model's weights to the best ones kept in memory."""
        if self._weights is not None:
            self.model.set_weights(self._weights)
