"""Progress of training, with the time left for the whole run."""

import sys
import time

import keras

from xmc_keras.progress import (
    DRAW_SECONDS,
    QUIET_SECONDS,
    Heartbeat,
    NotebookLine,
    draw_bar,
    format_seconds,
    in_notebook,
    phase,
    saw_line,
)

LINES = 10  # per epoch, if the output is neither a terminal nor a notebook


class Progress(keras.callbacks.Callback):
    """Shows losses and time left of each epoch, and the time left of the run.

    Keras's own bar knows neither the rest of a resumed epoch nor the remaining epochs,
    and it writes a line per step to a file. Here a file gets ten lines per epoch, and
    one at the next step if there was none for `QUIET_SECONDS`. In a notebook an epoch
    has one line, replaced in place, whose last state is the losses of the epoch.

    Args:
        num_batches: int. Steps per epoch.
        epochs: int. Epochs of the whole run.
        first_step: int. Step at which a resumed epoch continues. Defaults to `0`.
    """

    def __init__(self, num_batches, epochs, first_step=0):
        super().__init__()
        self.num_batches = num_batches
        self.epochs = epochs
        self.first_step = first_step
        self.seconds = 0.0
        self.steps = 0

    def on_epoch_begin(self, epoch, logs=None):
        left = ""
        if self.steps:
            left = f", about {self.left((self.epochs - epoch) * self.num_batches)} left"
        self.title = f"Epoch {epoch + 1} of {self.epochs}"
        self.bar, self.line, self.lines = None, None, 0
        if in_notebook():
            self.line, self.drawn = NotebookLine(), time.monotonic()
            self.line.write(f"{self.title}{left}")
            return
        self.write(f"{self.title}{left}")
        if sys.stdout.isatty():
            self.bar = keras.utils.Progbar(self.num_batches - self.first_step)

    def on_train_batch_begin(self, batch, logs=None):
        self.begun = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        self.seconds += now - self.begun
        self.steps += 1
        done = batch + 1
        if self.bar is not None:
            # The losses are already running means: Keras must not average them again.
            self.bar.stateful_metrics = set(logs)
            self.bar.update(done, list(logs.items()))
            saw_line()
            return
        step = self.first_step + done
        left = self.left(self.num_batches - step)
        line = f"{step}/{self.num_batches}, {left} left: {format_logs(logs)}"
        if self.line is not None:
            if now - self.drawn >= DRAW_SECONDS or step == self.num_batches:
                self.drawn = now
                share = draw_bar(step / self.num_batches)
                self.line.write(f"{self.title}  {share} {line}")
            return
        tenths = LINES * step // self.num_batches
        quiet = now - Heartbeat.seen > QUIET_SECONDS
        if (quiet or tenths > self.lines) and step < self.num_batches:
            self.lines = tenths
            self.write(f"  {line}")

    def on_test_begin(self, logs=None):
        self.validating = phase("Validating")
        self.validating.__enter__()

    def on_test_end(self, logs=None):
        self.validating.__exit__(None, None, None)

    def on_epoch_end(self, epoch, logs=None):
        self.first_step = 0
        if self.line is not None:
            self.line.write(f"{self.title}: {format_logs(logs)}")
        else:
            self.write(f"  {format_logs(logs)}")

    def write(self, line):
        """Writes a line to standard output, where the bar of Keras is, too."""
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        saw_line()

    def left(self, steps):
        return format_seconds(self.seconds / self.steps * steps)


def format_logs(logs):
    return ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
