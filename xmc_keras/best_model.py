"""Keeps the model that was best on the validation split."""

import csv

import keras


class BestModel(keras.callbacks.Callback):
    """Saves the model into its run folder whenever validation improves.

    Put it after `SWA`, so that it saves the average where there is one.

    Args:
        run: a `RunFolder`.
        monitor: string. Key of the logs, higher is better. Defaults to
            `"val_precision_at_5"`.

    Example:

    >>> from xmc_keras.run_folder import RunFolder
    >>> BestModel(RunFolder("runs/quickstart")).best is None
    True
    """

    def __init__(self, run, monitor="val_precision_at_5"):
        super().__init__()
        self.run = run
        self.monitor = monitor
        self.best = None

    def restore(self):
        """Takes the best value so far from the run's history."""
        if self.run.history_path.exists() and (self.run.path / "best.keras").exists():
            with open(self.run.history_path, newline="", encoding="utf-8") as file:
                values = [float(row[self.monitor]) for row in csv.DictReader(file)]
            self.best = max(values, default=None)

    def on_epoch_end(self, epoch, logs=None):
        value = (logs or {})[self.monitor]
        if self.best is None or value > self.best:
            self.best = value
            self.run.save_model(self.model, "best")
