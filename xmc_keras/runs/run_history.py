"""The history of a run: losses and validation metrics of each epoch, as CSV."""

import csv
import io
from pathlib import Path

import keras

from xmc_keras.files.digests import write_checked
from xmc_keras.runs.read_history import read_history


class RunHistory(keras.callbacks.Callback):
    """Writes losses and validation metrics to a CSV file, one row per epoch.

    Unlike `keras.callbacks.CSVLogger` it replaces the row of an epoch that is trained
    again after a restart, and the file is complete at any time.

    Args:
        path: string or path; `None` keeps the rows in memory.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = RunHistory(Path(folder, "history.csv"))
    ...     for epoch, loss in [(0, 3.5), (1, 2.0), (1, 1.5)]:
    ...         history.on_epoch_end(epoch, {"loss": loss})
    ...     history.rows()
    [{'epoch': 0, 'loss': 3.5}, {'epoch': 1, 'loss': 1.5}]
    """

    def __init__(self, path):
        super().__init__()
        self.path = path and Path(path)
        self._rows = []

    def rows(self, before=None):
        """The rows of all epochs, or of the epochs before `before`.

        Returns:
            A list of dictionaries of column to float; `epoch`, from 0, is an int.

        Raises:
            BadInput: the file is damaged.
        """
        rows = self._rows if self.path is None else read_history(self.path)
        return [row for row in rows if before is None or row["epoch"] < before]

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch, **dict(sorted(logs.items()))}
        self._rows = [*self.rows(before=epoch), row]
        if self.path is None:
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, row)
        writer.writeheader()
        writer.writerows(self._rows)
        with write_checked(self.path) as file:
            file.write(text.getvalue().encode())
