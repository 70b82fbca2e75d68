"""Checkpoints to resume an interrupted run."""

import json
import shutil
import time
from pathlib import Path

import keras
import numpy as np
from keras.ops import convert_to_numpy as to_numpy

from xmc_keras.files.atomic_files import replace_folder
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digest, write_checked
from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.files.unreadable import UNREADABLE
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.runs.model_file import load_state, save_state

ASK = 20  # steps after which workers ask the chief whether to save


class RunCheckpoint(keras.callbacks.Callback):
    """Saves the state to resume from, at the end of each epoch and every few minutes.

    A checkpoint contains the weights, the optimizer, the random state of the dropout
    layers, the running means of the epoch's losses, the SWA average, and the next
    epoch and step. If the order of batches depends only on seed and epoch, a resumed
    run computes exactly what an uninterrupted one does. Put this callback last, so that
    the other callbacks have finished an epoch when its checkpoint is saved.

    Args:
        path: string or path. Folder of the checkpoint. A new one is written next to
            it, then replaces it. `None` measures the time, but saves nothing.
        minutes: float. Time between checkpoints within an epoch. Defaults to `10`.
        swa: optional `SWA` callback of the same `fit`.

    Attributes:
        epoch, step: int. The next epoch and step; set by `restore` and in training.
        seconds: float. Time in `fit` up to the last save, over all restarts.
        earlier_seconds: float. The part of `seconds` before this start.

    Example:

    >>> checkpoint = RunCheckpoint("runs/quickstart/checkpoint")
    >>> checkpoint.epoch, checkpoint.step
    (0, 0)
    """

    def __init__(self, path, minutes=10, swa=None):
        super().__init__()
        self.path = path and Path(path)
        self.minutes = minutes
        self.swa = swa
        self.epoch = 0
        self.step = 0
        self.seconds = self.earlier_seconds = 0.0
        self._first_step = 0
        self._loss_state, self._swa_state = {}, {}
        self._saved_at = self._seen_at = time.monotonic()

    def restore(self, model):
        """Loads the checkpoint into a model; returns False if there is none.

        The model must be compiled, and the model and its optimizer built. Of several
        workers the chief reads it, and the others get its state.
        """
        workers, path = Workers.of(model), self._find()
        if not workers.broadcast(path is not None):
            return False
        try:
            if path is not None:
                self._read(path)
            load_state(path and path / "state.npz", model, model.optimizer)
        except BadInput:
            raise
        except UNREADABLE as error:
            reason = " ".join(str(error).split())[:300]
            raise BadInput(
                f"Expected a checkpoint of this run. Received: {reason}.",
                path,
                remedy="Start the run again with `overwrite=True`.",
            ) from error
        names = ("epoch", "step", "seconds", "_loss_state", "_swa_state")
        state = {name: getattr(self, name) for name in names}
        for name, value in workers.broadcast(state).items():
            setattr(self, name, value)
        if self.swa is not None:
            self.swa.set_state(self._swa_state)
        self._first_step, self._swa_state = self.step, {}
        return True

    def _find(self):
        """The folder of the checkpoint, or None if there is none."""
        if self.path is None:
            return None
        path = self.path if self.path.exists() else self._other("old")
        return path if path.exists() else None

    def _read(self, path):
        """Reads all but the weights."""
        progress = json.loads((path / "progress.json").read_text())
        check_digest(path / "progress.json")
        self.epoch, self.step = progress["epoch"], progress["step"]
        self.seconds = self.earlier_seconds = progress["seconds"]
        self._loss_state = load_arrays(path / "losses.npz")
        if self.swa is not None:
            self._swa_state = load_arrays(path / "swa.npz")

    def on_train_begin(self, logs=None):
        self._seen_at = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        # Keras has just reset the metrics: restore those of a resumed epoch.
        for name, variable in loss_state(self.model):
            if name in self._loss_state:
                variable.assign(self._loss_state[name])
        self._loss_state = {}

    def on_train_batch_begin(self, batch, logs=None):
        # At the start of a batch, every other callback has finished the previous one.
        # Keras counts the batches of a resumed epoch from zero.
        self.step = self._first_step + batch
        due = time.monotonic() - self._saved_at > 60 * self.minutes
        workers = Workers.of(self.model)
        if workers.count > 1:  # clocks differ
            due = batch % ASK == 0 and workers.broadcast(due)
        if due:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        self.epoch, self.step, self._first_step = epoch + 1, 0, 0
        if self.swa is not None:
            self.swa.use_trained()
        self.save()

    def save(self):
        """Saves a checkpoint now; of several workers, all have to call it."""
        now = time.monotonic()
        self.seconds += now - self._seen_at
        self._seen_at = now
        losses = {}
        if self.step:  # sums over workers
            losses = {name: to_numpy(v) for name, v in loss_state(self.model)}
        self._saved_at = now
        average = None if self.swa is None else self.swa.state()
        if self.path is None:
            save_state(None, self.model, self.model.optimizer)
            return
        part = self._other("part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            with explain_disk_errors(self.path):
                part.mkdir(parents=True)
                self._write(part, losses, average)
                replace_folder(part, self.path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self._saved_at = time.monotonic()

    def _write(self, folder, losses, average):
        # Zip archives check themselves, and NumPy writes them without a copy of all.
        save_state(folder / "state.npz", self.model, self.model.optimizer)
        np.savez(folder / "losses.npz", **losses)
        if average is not None:
            np.savez(folder / "swa.npz", **average)
        progress = {"epoch": self.epoch, "step": self.step, "seconds": self.seconds}
        with write_checked(folder / "progress.json") as file:
            file.write(json.dumps(progress).encode())

    def _other(self, suffix):
        return self.path.with_name(f"{self.path.name}.{suffix}")


def load_arrays(path):
    """Loads an `.npz` file as a dictionary."""
    # Opened here, because `np.load` leaves damaged files open.
    with open(path, "rb") as file, np.load(file) as arrays:
        return dict(arrays)


def loss_state(model):
    """`(name, variable)` of the running means in the logs."""
    return [
        (f"{metric.name}_{i}", variable)
        for metric in model.metrics
        for i, variable in enumerate(metric.variables)
    ]
