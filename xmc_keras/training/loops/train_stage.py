"""A stage of training: epochs with callbacks, from a start or a checkpoint."""

import itertools
import logging
import time

import keras
import tensorflow as tf

from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.lightxml.build import build_optimizer
from xmc_keras.lightxml.start_from_centroids import start_from_centroids
from xmc_keras.one_vs_all.one_vs_all import OneVsAll
from xmc_keras.one_vs_all.start_head import start_head
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.progress import Bar, phase
from xmc_keras.recommending.whole_model import find_whole
from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_history import RunHistory
from xmc_keras.training.callbacks.best_model import BestModel, choose_monitor
from xmc_keras.training.callbacks.finite_loss import FiniteLoss
from xmc_keras.training.callbacks.progress import Progress
from xmc_keras.training.callbacks.swa import SWA
from xmc_keras.training.loops.fit_epochs import compile_and_build, evaluate, fit_epochs

logger = logging.getLogger(__name__)


def train_stage(
    config,
    model,
    batches,
    validation_batches,
    run=None,
    callbacks=(),
    progress=True,
    first=0,
    seconds=0.0,
    trained_heads=False,
):
    """Trains from epoch `first`, or from a checkpoint, to `config.epochs`.

    `seconds` is the time of earlier stages; for other arguments see `train_lightxml`.
    Returns the `RunHistory`, `RunCheckpoint` and `BestModel`.
    """
    workers = Workers.of(model)
    with workers.scope():
        optimizer = build_optimizer(config, (config.epochs - first) * len(batches))
    compile_and_build(model, optimizer, config, validation_batches)
    swa = None
    if config.swa_start is not None:
        swa = SWA(config.swa_start, config.swa_every)
        swa.set_model(model)
    monitor = choose_monitor(batches.labels, validation_batches.labels)
    saved = workers.broadcast(run is not None)  # by the chief
    keeps = run is not None or not saved
    best = BestModel(run, monitor, config.patience, keeps=keeps)
    best.set_model(model)
    checkpoint = RunCheckpoint(
        run and run.checkpoint_path, config.checkpoint_minutes, swa
    )
    checkpoint.epoch, checkpoint.seconds = first, seconds
    if run is not None:
        run.remove_half_written()
    if checkpoint.restore(model):
        best.restore(checkpoint.epoch)
        logger.info(
            "Continuing at epoch %d, step %d of %d",
            *(checkpoint.epoch + 1, checkpoint.step + 1, len(batches)),
        )
    elif trained_heads or config.head_start == "centroids":
        begun = time.monotonic()
        with phase("Initializing the heads"):
            if not trained_heads:
                logger.info("Initializing the heads with centroids of their documents")
                documents = itertools.islice(
                    batches.batches(), workers.index, None, workers.count
                )
                if progress:
                    documents = show_progress(batches, documents)
                if isinstance(model, OneVsAll):
                    start_head(model, documents)
                else:
                    # In a second stage the generator is already trained.
                    start_from_centroids(model, documents, generator=first == 0)
            logs = evaluate(model, validation_batches)
        best.count_start(model, {f"val_{k}": x for k, x in logs.items()}, first)
        checkpoint.seconds += time.monotonic() - begun
    last = checkpoint.epoch if best.exhausted(checkpoint.epoch) else config.epochs
    history = RunHistory(run and run.history_path)
    # TensorFlow writes nothing else.
    with explain_disk_errors(run and run.tensorboard_path, tf.errors.OpError):
        fit_epochs(
            model,
            batches,
            validation_batches,
            [
                FiniteLoss(),
                *([swa] if swa else []),
                best,  # after SWA: it saves the average
                history,
                *([] if run is None else [tensorboard(run)]),
                *callbacks,
                *progress_callbacks(progress, batches, config, checkpoint),
                checkpoint,
            ],
            checkpoint.epoch,
            last,
            checkpoint.step,
        )
    if swa and swa.count:
        swa.use_average()
        whole = find_whole(model)  # of all workers
        if run is not None:
            run.save_model(whole, "averaged")
    elif swa:
        logger.warning(
            "No averaged model: from epoch %d on there were fewer than swa_every=%d "
            "steps.",
            *(config.swa_start + 1, config.swa_every),
        )
    return history, checkpoint, best


def tensorboard(run):
    """The TensorBoard callback of a run."""
    return keras.callbacks.TensorBoard(str(run.tensorboard_path), write_graph=False)


def progress_callbacks(progress, batches, config, checkpoint):
    """A list with the `Progress` callback, empty without `progress`."""
    return [Progress(len(batches), config.epochs, checkpoint.step)] if progress else []


def show_progress(batches, documents):
    """Yields the batches of an epoch and draws a progress bar."""
    bar = Bar(lambda: bar.done / len(batches.tokens))
    for x, y in documents:
        yield x, y
        bar.advance(len(y))
    bar.end()
