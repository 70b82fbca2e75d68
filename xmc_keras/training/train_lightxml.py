"""The training of a run: one `model.fit`, or two where negatives are static."""

import dataclasses
import logging
import time

import keras
import numpy as np

from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.lightxml.build import build_optimizer
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.lightxml.start_from_centroids import start_from_centroids
from xmc_keras.lightxml.static_negatives import find_top_clusters
from xmc_keras.metrics.precision_at_k import PrecisionAtK
from xmc_keras.progress import Bar
from xmc_keras.runs.plot_curves import plot_curves
from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.runs.run_history import RunHistory
from xmc_keras.training.callbacks.best_model import BestModel
from xmc_keras.training.callbacks.finite_loss import FiniteLoss
from xmc_keras.training.callbacks.progress import Progress
from xmc_keras.training.callbacks.swa import SWA

logger = logging.getLogger("fit")


def train_lightxml(config, run, model, batches, validation_batches):
    """Trains `model` as the config says.

    Returns:
        The `RunCheckpoint`, to be removed once the run has its metrics.
    """
    if config.negatives == "dynamic":
        return train_stage(config, run, model, batches, validation_batches)
    batches, seconds = fix_negatives(config, run, model, batches, validation_batches)
    return train_stage(
        config, run, model, batches, validation_batches, config.recall_epochs, seconds
    )


def train_stage(config, run, model, batches, validation_batches, first=0, seconds=0):
    """Trains from epoch `first` to `config.epochs`, or on from a checkpoint.

    Leaves `best.keras` and, where SWA is on, `averaged.keras`. Returns the
    `RunCheckpoint`, whose time counts from `seconds`.
    """
    model.compile(
        optimizer=build_optimizer(config, (config.epochs - first) * len(batches)),
        metrics=[PrecisionAtK(k) for k in (1, 3, 5)],
        jit_compile=config.jit_compile,
    )
    # Built before `fit`, because a checkpoint is read into variables that exist.
    model(next(validation_batches.batches(0))[0])
    model.optimizer.build(model.trainable_variables)
    swa = None
    if config.swa_start is not None:
        swa = SWA(config.swa_start, config.swa_every)
        swa.set_model(model)
    checkpoint = RunCheckpoint(run.checkpoint_path, config.checkpoint_minutes, swa)
    checkpoint.epoch, checkpoint.seconds = first, seconds
    best = BestModel(run)
    run.remove_half_written()
    if checkpoint.restore(model):
        best.restore(checkpoint.epoch)
        logger.info(
            "Continuing at epoch %d, step %d of %d",
            *(checkpoint.epoch + 1, checkpoint.step + 1, len(batches)),
        )
    elif config.head_start == "centroids":
        begun = time.monotonic()
        logger.info("Starting the heads at the centroids of labels and clusters")
        # After the first stage the generator has learnt.
        start_from_centroids(model, show_progress(batches), generator=first == 0)
        checkpoint.seconds += time.monotonic() - begun
    callbacks = [
        FiniteLoss(),
        *([swa] if swa else []),
        best,  # after SWA: it wants the average
        RunHistory(run.history_path),
        keras.callbacks.TensorBoard(str(run.path / "tensorboard"), write_graph=False),
        Progress(len(batches), config.epochs, checkpoint.step),
        checkpoint,
    ]
    spans = [(checkpoint.epoch, checkpoint.step, config.epochs)]
    if checkpoint.step:  # the rest of an epoch is a `fit` of its own
        spans[0] = (checkpoint.epoch, checkpoint.step, checkpoint.epoch + 1)
        spans.append((checkpoint.epoch + 1, 0, config.epochs))
    for epoch, step, epochs in spans:
        if epoch == epochs:
            continue
        model.fit(
            batches.dataset(epoch, step),
            validation_data=validation_batches.dataset(),
            initial_epoch=epoch,
            epochs=epochs,
            callbacks=callbacks,
            shuffle=False,  # the batches are shuffled already
            verbose=0,
        )
    if swa and swa.count:
        swa.use_average()
        run.save_model(model, "averaged")
    elif swa:
        logger.warning(
            "No averaged model: from epoch %d on there were fewer than swa_every=%d "
            "steps",
            *(config.swa_start + 1, config.swa_every),
        )
    plot_curves(run)
    return checkpoint


def show_progress(batches):
    """The batches of the first epoch, behind a progress bar."""
    bar = Bar(lambda: bar.done / len(batches.tokens))
    for x, y in batches.batches():
        yield x, y
        bar.advance(len(y))
    bar.end()


def fix_negatives(config, run, model, batches, validation_batches):
    """Batches whose negatives stay what the generator takes for right early on.

    After the paper's static negatives (table 5): encoder and generator learn alone
    for the first `config.recall_epochs` epochs; then each training document keeps
    the clusters that they find for it, and `model` goes on from their weights. With
    `PairedEncoders` these two stay, and the ranker begins with a copy of the encoder.
    What they leave is in a run folder within the run's, `recall/`. Returns the
    batches and the seconds that this took.
    """
    recall = LightXML(
        model.encoder.recall if model.is_paired else model.encoder,
        model.generator,
        loss_reduction=config.loss_reduction,
        num_predictions=config.num_predictions,
        name="recall",
    )
    weights = run.path / "recall.weights.h5"
    recall(next(validation_batches.batches(0))[0])
    seconds = 0.0
    if run.shortlist_path.exists():
        recall.load_weights(weights)
    else:
        stage = dataclasses.replace(
            config,
            epochs=config.recall_epochs,
            negatives="dynamic",
            ranking_encoder="shared",
            swa_start=None,
        )
        recall_run = RunFolder(run.path / "recall")
        recall_run.path.mkdir(exist_ok=True)
        logger.info("Training the generator alone")
        checkpoint = train_stage(stage, recall_run, recall, batches, validation_batches)
        recall.optimizer = None
        recall.save_weights(weights)
        in_order = batches.in_order()
        shortlist = in_order.restore(find_top_clusters(recall, in_order.dataset()))
        with atomic_write(run.shortlist_path) as file:
            np.save(file, shortlist)
        checkpoint.remove()
        seconds = checkpoint.seconds
    if model.is_paired:
        model.encoder.begin_ranking()
        model.generator.trainable = False
    return batches.with_shortlist(np.load(run.shortlist_path)), seconds
