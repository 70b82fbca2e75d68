"""Checkpoints from which a killed run goes on."""

import json
import os
import shutil
import time
from pathlib import Path

import keras
import numpy as np

from xmc_keras.bad_input import BadInput


class RunCheckpoint(keras.callbacks.Callback):
    """Saves all that a run needs to go on: at every epoch's end and by the clock.

    A checkpoint holds the weights, the optimizer, the random state of the dropout
    layers, the SWA average, and the epoch and step that come next; with batches
    whose order depends on seed and epoch only, a continued run sees just what it
    would have seen. Put this callback before `SWA`, so that at an epoch's end the
    model still holds the trained weights.

    Args:
        path: string or path. Folder of the checkpoint; a new one is written beside
            it and takes its place.
        minutes: float. Time between checkpoints within an epoch. Defaults to `10`.
        swa: optional `SWA` callback of the same `fit`.

    Attributes:
        epoch, step: int. What comes next; set by `restore` and while training.

    Example:

    >>> checkpoint = RunCheckpoint("runs/quickstart/checkpoint")
    >>> checkpoint.epoch, checkpoint.step
    (0, 0)
    """

    def __init__(self, path, minutes=10, swa=None):
        super().__init__()
        self.path = Path(path)
        self.minutes = minutes
        self.swa = swa
        self.epoch = 0
        self.step = 0
        self._saved_at = time.monotonic()
        self._first_step = 0

    def restore(self, model):
        """Puts the checkpoint into a model; False if there is none.

        The model is compiled and built, its optimizer too.
        """
        path = self.path if self.path.exists() else self._other("old")
        if not path.exists():
            return False
        try:
            model.load_weights(path / "state.weights.h5")
            progress = json.loads((path / "progress.json").read_text())
            self.epoch, self.step = progress["epoch"], progress["step"]
            if self.swa is not None:
                with np.load(path / "swa.npz") as state:
                    self.swa.set_state(state)
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:300]
            raise BadInput(
                f"Expected a checkpoint of this run. Received: {reason}. Start the "
                "run anew with --overwrite.",
                path,
            ) from error
        self._first_step = self.step
        return True

    def remove(self):
        """Deletes the checkpoint of a run that is finished."""
        for path in (self.path, self._other("old"), self._other("part")):
            shutil.rmtree(path, ignore_errors=True)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        # At a batch's begin, not at its end: by then every other callback has done
        # its part of the batch before. Keras counts a continued epoch from zero.
        self.step = self._first_step + batch
        if time.monotonic() - self._saved_at > 60 * self.minutes:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        self.epoch, self.step, self._first_step = epoch + 1, 0, 0
        self.save()

    def save(self):
        part, old = self._other("part"), self._other("old")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        self.model.save_weights(part / "state.weights.h5")
        if self.swa is not None:
            np.savez(part / "swa.npz", **self.swa.state())
        progress = {"epoch": self.epoch, "step": self.step}
        (part / "progress.json").write_text(json.dumps(progress))
        # A folder cannot be renamed over another: the old one steps aside, and
        # stands in if the program is killed between the two lines.
        shutil.rmtree(old, ignore_errors=True)
        if self.path.exists():
            os.replace(self.path, old)
        os.replace(part, self.path)
        shutil.rmtree(old, ignore_errors=True)
        self._saved_at = time.monotonic()

    def _other(self, suffix):
        return self.path.with_name(f"{self.path.name}.{suffix}")
