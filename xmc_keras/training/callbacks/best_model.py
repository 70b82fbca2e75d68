"""Keeping the model that is best on the validation split, or the last one."""

import json
import logging
from pathlib import Path

import keras
import numpy as np

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digest, write_checked
from xmc_keras.files.unreadable import UNREADABLE
from xmc_keras.ops.distribution.sharded_table import assign_local, read_local
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.recommending.whole_model import find_whole
from xmc_keras.runs.model_file import load_state, save_state
from xmc_keras.runs.read_history import PRECISIONS
from xmc_keras.runs.run_folder import RESTORE, START, STATE
from xmc_keras.runs.run_history import RunHistory

logger = logging.getLogger(__name__)

MONITOR = "val_precision_at_5"


def choose_monitor(trained, validated, monitor=MONITOR):
    """The metric to compare epochs by; None if validation cannot compare them.

    If no label of the validation documents is on a document to train on, as in a set
    of one document a label, every epoch is as wrong as the next.

    Args:
        trained, validated: csr matrices (documents, labels) of the documents to train
            on and to validate on; later columns of `validated` are labels that
            training never saw.
        monitor: the metric. Defaults to `"val_precision_at_5"`.

    Example:

    >>> from scipy.sparse import csr_matrix
    >>> trained = csr_matrix([[1, 0], [1, 0]])
    >>> choose_monitor(trained, csr_matrix([[1, 0, 1]]))
    'val_precision_at_5'
    >>> choose_monitor(trained, csr_matrix([[0, 1, 1]])) is None
    True
    """
    labels = np.intersect1d(trained.indices, validated.indices)
    return monitor if len(labels) else None


class BestModel(keras.callbacks.Callback):
    """Saves the model whenever validation improves, to its run folder or in memory.

    Put it after `SWA` in the list of callbacks, so that it saves the average. The model
    before training counts, too, if it is given to `count_start`: it is kept if no epoch
    is better.

    Args:
        run: a `RunFolder`; `None` keeps the weights in memory.
        monitor: string, or list of strings whose mean counts. Keys of the logs, higher
            is better; `None` keeps the last model, where validation cannot compare
            epochs. Defaults to `"val_precision_at_5"`.
        patience: optional int. Training ends after this many epochs without
            improvement; `None` never ends it.
        state: bool. `True` saves the state in `best.npz` instead of `best.keras`, for
            a model that is finished after its last epoch, see `use_best`. Defaults to
            `False`.
        keeps: bool. `False` saves nothing without a run either, where another worker
            does. Defaults to `True`.

    Attributes:
        best: float, or None before the end of the first epoch or without `monitor`.
        best_epoch: int. Epochs done at the best; 0 is the model before training.
        start: dictionary of the metrics before training, or None.
        quality: dictionary of P@1, P@3 and P@5 at the best, in percent.

    Example:

    >>> from xmc_keras.runs.run_folder import RunFolder
    >>> BestModel(RunFolder("runs/quickstart")).best is None
    True
    """

    def __init__(
        self, run=None, monitor=MONITOR, patience=None, state=False, keeps=True
    ):
        super().__init__()
        self.run = run
        self.monitor = [monitor] if isinstance(monitor, str) else list(monitor or ())
        self.patience = patience
        self.state = state
        self.keeps = keeps
        self.best = None
        self.best_epoch = 0
        self.start = None
        self.quality = {}
        self._weights = None

    def restore(self, epoch):
        """Reads the best value before `epoch` from the files of the run.

        Of several workers the chief reads them.
        """
        workers = Workers.of(self.model)
        if workers.is_chief:
            self.best, self.best_epoch = None, 0
            self.start = self._read_start()
            for row in RunHistory(self.run.history_path).rows(before=epoch):
                self._improves(row["epoch"] + 1, row)
        names = ("best", "best_epoch", "start", "quality")
        state = {name: getattr(self, name) for name in names}
        for name, value in workers.broadcast(state).items():
            setattr(self, name, value)

    def count_start(self, model, logs, epoch=0):
        """Counts the model before training, after `epoch` epochs of an earlier stage.

        `logs` is a dictionary like that at the end of an epoch.
        """
        self.set_model(model)
        self.start = {"epoch": epoch, **logs}
        if self._improves(epoch, logs):
            self._save()
        if self.run is not None:
            with write_checked(self._start_path) as file:
                file.write(json.dumps(self.start).encode())

    def on_epoch_end(self, epoch, logs=None):
        if self._improves(epoch + 1, logs or {}):
            self._save()
        if self.exhausted(epoch + 1):
            self.model.stop_training = True

    def exhausted(self, epoch):
        """Whether training ends after `epoch` epochs, a bool."""
        if self.patience is None or self.best is None:
            return False
        return epoch - self.best_epoch >= self.patience

    def use_best(self):
        """Sets the model's weights to the best ones kept in memory or in `best.npz`."""
        if self.run is None and self.keeps:
            for variable, value in zip(self.model.weights, self._weights or []):
                assign_local(variable, value)
        elif self.state:
            path = self.run and self.run.path / STATE
            try:
                load_state(path, self.model)
            except UNREADABLE as error:
                raise BadInput(
                    f"Expected the weights of the best epoch. Received: {error}.",
                    path,
                    remedy="Start the run again with `overwrite=True`.",
                ) from None

    def summary(self, epochs):
        """What is known of the best model, for the metrics of the run.

        Args:
            epochs: int. The number of the config.

        Returns:
            Dictionary: `best_epoch`, `validation`, its `quality`, and, if the start was
            counted, `validation_at_start`.
        """
        found = {"best_epoch": self.best_epoch, "validation": self.quality}
        which = f"epoch {self.best_epoch} of {epochs}"
        if self.start is not None:
            found["validation_at_start"] = to_percent(self.start)
            if self.best_epoch == self.start["epoch"]:
                which = "the start; no epoch is better"
        logger.info("Best on the validation split: %s", which)
        return found

    def _improves(self, epoch, logs):
        """Whether the model after `epoch` epochs is the best one; notes it if so."""
        if not self.monitor:
            self.best_epoch = epoch
            return True
        value = float(np.mean([logs[key] for key in self.monitor]))
        if self.best is not None and value <= self.best:
            return False
        self.best, self.best_epoch = value, epoch
        self.quality = to_percent(logs)
        return True

    def _save(self):
        if self.run is None:
            if self.keeps:
                self._weights = list(map(read_local, self.model.weights))
                return
        if self.state:
            save_state(self.run and self.run.path / STATE, self.model)
            return
        whole = find_whole(self.model)  # of all workers
        if self.run is not None:
            self.run.save_model(whole, "best")

    @property
    def _start_path(self):
        return Path(self.run.history_path).with_name(START)

    def _read_start(self):
        """Reads the metrics before training, None without, and counts them."""
        try:
            start = json.loads(self._start_path.read_bytes())
            start = {**start, "epoch": int(start["epoch"])}
            self._improves(start["epoch"], start)
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            raise BadInput(
                f"Expected the metrics before training. Received: {error}.",
                self._start_path,
                remedy="Start the run again with `overwrite=True`.",
            ) from None
        check_digest(self._start_path, RESTORE)
        return start


def to_percent(logs):
    """P@1, P@3 and P@5 in percent, as far as they are in the logs."""
    return {name: 100 * logs[key] for key, name in PRECISIONS.items() if key in logs}
