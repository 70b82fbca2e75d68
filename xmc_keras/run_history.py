"""The `history.csv` of a run."""

import csv
import io
from pathlib import Path

import keras

from xmc_keras.read_history import read_history
from xmc_keras.written import written


class RunHistory(keras.callbacks.Callback):
    """Writes losses and validation metrics to a CSV file, an epoch a row.

    Unlike `keras.callbacks.CSVLogger` it writes the row of an epoch that is trained
    again after a restart in place of the old one, and the file is whole at any time.

    Args:
        path: string or path.

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
        self.path = Path(path)

    def rows(self, before=None):
        """Reads the rows: of all epochs, or of those before one.

        Returns:
            A list of dictionaries from column to float, `epoch` (from 0) an int.

        Raises:
            BadInput: the file is damaged.
        """
        rows = read_history(self.path)
        return [row for row in rows if before is None or row["epoch"] < before]

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch, **dict(sorted(logs.items()))}
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, row)
        writer.writeheader()
        writer.writerows([*self.rows(before=epoch), row])
        with written(self.path) as file:
            file.write(text.getvalue().encode())
