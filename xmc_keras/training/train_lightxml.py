"""The training loop of LightXML: one stage, or two with static negatives."""

import dataclasses
import logging
import time

import keras
import numpy as np
import tensorflow as tf

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import write_checked
from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.files.unreadable import UNREADABLE
from xmc_keras.lightxml.build import build_optimizer
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.lightxml.start_from_centroids import start_from_centroids
from xmc_keras.lightxml.static_negatives import find_top_clusters
from xmc_keras.progress import Bar, phase
from xmc_keras.runs.model_file import load_state, save_state
from xmc_keras.runs.plot_curves import plot_curves
from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.runs.run_history import RunHistory
from xmc_keras.training.callbacks.best_model import BestModel, choose_monitor
from xmc_keras.training.callbacks.finite_loss import FiniteLoss
from xmc_keras.training.callbacks.progress import Progress
from xmc_keras.training.callbacks.swa import SWA
from xmc_keras.training.fit_epochs import compile_and_build, fit_epochs

logger = logging.getLogger(__name__)


def train_lightxml(
    config,
    model,
    batches,
    validation_batches,
    run=None,
    callbacks=(),
    progress=True,
    trained_heads=False,
):
    """Trains a `LightXML` by its config, or resumes its run.

    The best epoch by validation is kept, or the last one where validation cannot
    compare epochs, see `choose_monitor`. Without a run the model has these weights
    afterwards. With a run, models are
    saved in its folder as `best.keras` and, with SWA, `averaged.keras`.

    Args:
        config: a `Config` of `system: lightxml`, see `resolve_config`.
        model: a `LightXML`, see `build_model`.
        batches: batches of training documents, see `build_training_inputs`.
        validation_batches: batches of validation documents, see `build_inputs`.
        run: optional `RunFolder`.
        callbacks: list of additional Keras callbacks.
        progress: bool. Whether to show progress. Defaults to `True`.
        trained_heads: bool. Whether the heads of the model are those of an earlier
            training. Defaults to `False`.

    Returns:
        `(history, checkpoint, found)`: a list of dictionaries, one per epoch; the
        `RunCheckpoint`, with the seconds of training; and a dictionary for the metrics
        of the run, see `BestModel.summary`.
    """
    first, seconds = 0, 0.0
    parts = validation_batches, run, callbacks, progress
    if config.negatives == "static":
        first = config.recall_epochs
        batches, seconds = fix_negatives(config, model, batches, *parts, trained_heads)
    history, checkpoint, best = train_stage(
        config, model, batches, *parts, first, seconds, trained_heads=trained_heads
    )
    if run is None:
        best.use_best()
    else:
        plot_curves(run)
    return history.rows(), checkpoint, best.summary(config.epochs)


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
    optimizer = build_optimizer(config, (config.epochs - first) * len(batches))
    compile_and_build(model, optimizer, config, validation_batches)
    swa = None
    if config.swa_start is not None:
        swa = SWA(config.swa_start, config.swa_every)
        swa.set_model(model)
    monitor = choose_monitor(batches.labels, validation_batches.labels)
    best = BestModel(run, monitor, config.patience)
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
                documents = batches.batches()
                if progress:
                    documents = show_progress(batches, documents)
                # In a second stage the generator is already trained.
                start_from_centroids(model, documents, generator=first == 0)
            logs = model.evaluate(
                validation_batches.dataset(), verbose=0, return_dict=True
            )
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
        if run is not None:
            run.save_model(model, "averaged")
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


def fix_negatives(
    config,
    model,
    batches,
    validation_batches,
    run=None,
    callbacks=(),
    progress=True,
    trained_heads=False,
):
    """Trains the generator alone, and fixes its clusters as static negatives.

    These are the static negatives of the paper's table 5: encoder and generator are
    trained for `config.recall_epochs` epochs. Then the clusters that they find for each
    training document are fixed, and `model` continues from their weights. With
    `PairedEncoders` both are frozen, and the ranker starts from a copy of the encoder.
    The run of the first stage is the folder `recall/` within the run's.

    Returns:
        `(batches, seconds)`: the batches with these negatives, and the training time.
    """
    recall = LightXML(
        model.encoder.recall if model.is_paired else model.encoder,
        model.generator,
        loss_reduction=config.loss_reduction,
        num_predictions=config.num_predictions,
        name="recall",
    )
    recall(next(validation_batches.batches(0))[0])
    weights = run and run.path / "recall.npz"
    recall_run = run and RunFolder(run.path / "recall")
    seconds = 0.0
    if run is not None and run.cluster_ids_path.exists():
        cluster_ids = run.cluster_ids()
        try:
            load_state(weights, recall)
        except UNREADABLE as error:
            raise BadInput(
                f"Expected the weights of the first stage. Received: {error}.",
                weights,
                remedy="Start the run again with `overwrite=True`.",
            ) from None
    else:
        stage = dataclasses.replace(
            config,
            epochs=config.recall_epochs,
            negatives="dynamic",
            ranking_encoder="shared",
            swa_start=None,
        )
        if run is not None:
            recall_run.path.mkdir(exist_ok=True)
        logger.info("Training the generator alone")
        _, checkpoint, _ = train_stage(
            stage,
            recall,
            batches,
            validation_batches,
            recall_run,
            callbacks,
            progress,
            trained_heads=trained_heads,
        )
        seconds = checkpoint.seconds
        in_order = batches.in_order()
        with phase("Finding the clusters of all documents"):
            found = find_top_clusters(recall, in_order.dataset())
        cluster_ids = in_order.restore(found)
        if run is not None:
            save_state(weights, recall)
            with write_checked(run.cluster_ids_path) as file:
                np.save(file, cluster_ids)
    if run is not None:
        recall_run.remove_checkpoint()
    if model.is_paired:
        model.encoder.begin_ranking()
        model.generator.trainable = False
    return batches.with_clusters(cluster_ids), seconds
