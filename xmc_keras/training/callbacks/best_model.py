"""Keeps the model that was best on the validation split."""

import keras

from xmc_keras.runs.run_history import RunHistory


class BestModel(keras.callbacks.Callback):
    """Saves the model into its run folder whenever validation improves.

    Put it after `SWA`, so that it saves the average where there is one.

    Args:
        run: a `RunFolder`.
        monitor: string. Key of the logs, higher is better. Defaults to
            `"val_precision_at_5"`.

    Attributes:
        best: float, or None before the first epoch's end.

    Example:

    >>> from xmc_keras.runs.run_folder import RunFolder
    >>> BestModel(RunFolder("runs/quickstart")).best is None
    True
    """

    def __init__(self, run, monitor="val_precision_at_5"):
        super().__init__()
        self.run = run
        self.monitor = monitor
        self.best = None

    def restore(self, epoch):
        """Takes the best value of the epochs before `epoch` from the run's history."""
        rows = RunHistory(self.run.history_path).rows(before=epoch)
        self.best = max((row[self.monitor] for row in rows), default=None)

    def on_epoch_end(self, epoch, logs=None):
        value = (logs or {})[self.monitor]
        if self.best is None or value > self.best:
            self.best = value
            self.run.save_model(self.model, "best")
