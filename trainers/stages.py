"""The training of a run: one `model.fit`, or two where negatives are static."""

import dataclasses
import logging
import os

import keras
import numpy as np
from plot_curves import plot_curves
from progress import Progress

from xmc_keras.best_model import BestModel
from xmc_keras.build_optimizer import build_optimizer
from xmc_keras.lightxml import LightXML
from xmc_keras.precision_at_k import PrecisionAtK
from xmc_keras.run_checkpoint import RunCheckpoint
from xmc_keras.swa import SWA

logger = logging.getLogger("fit")


def train_stage(config, run, model, batches, validation_batches):
    """Trains `model` for `config.epochs`, from the run's checkpoint if it has one.

    Leaves `best.keras` and, where SWA is on, `averaged.keras`.
    """
    model.compile(
        optimizer=build_optimizer(config, config.epochs * len(batches)),
        metrics=[PrecisionAtK(k) for k in (1, 3, 5)],
        jit_compile=config.jit_compile,
    )
    # Built before `fit`, because a checkpoint is read into variables that exist.
    model(next(validation_batches.batches(0))[0])
    model.optimizer.build(model.trainable_variables)
    swa = None
    if config.swa_start is not None:
        swa = SWA(config.swa_start, config.swa_every)
    checkpoint = RunCheckpoint(run.checkpoint_path, config.checkpoint_minutes, swa)
    best = BestModel(run)
    if checkpoint.restore(model):
        best.restore()
        logger.info(
            "Continuing at epoch %d, step %d of %d",
            *(checkpoint.epoch + 1, checkpoint.step + 1, len(batches)),
        )
    callbacks = [
        checkpoint,  # before SWA: it wants the trained weights, not the average
        *([swa] if swa else []),
        best,
        keras.callbacks.CSVLogger(str(run.history_path), append=True),
        keras.callbacks.TensorBoard(str(run.path / "tensorboard"), write_graph=False),
        keras.callbacks.TerminateOnNaN(),
        Progress(len(batches), config.epochs, checkpoint.step),
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
            verbose=0,
        )
    if swa and swa.count:
        run.save_model(model, "averaged")
    plot_curves(run)
    checkpoint.remove()


def fix_shortlists(config, run, model, batches, validation_batches):
    """Batches whose negatives stay what the generator takes for right early on.

    The paper's static negatives (table 5, S): encoder and generator learn alone
    for `config.recall_epochs`; then each training document keeps the clusters
    that they find for it, and `model` goes on from their weights.
    """
    recall = LightXML(model.encoder, model.generator, name="recall")
    weights = run.path / "recall.weights.h5"
    x, _ = next(validation_batches.batches(0))
    recall(x)
    if run.shortlist_path.exists():
        recall.load_weights(weights)
    else:
        stage = dataclasses.replace(
            config, epochs=config.recall_epochs, negatives="dynamic", swa_start=None
        )
        logger.info("Training the generator alone")
        train_stage(stage, run, recall, batches, validation_batches)
        recall.optimizer = None
        recall.save_weights(weights)
        run.history_path.rename(run.path / "history_recall.csv")
        shortlist = recall.shortlist(batches.in_order().dataset())
        part = run.shortlist_path.with_suffix(".part.npy")
        np.save(part, batches.in_order().restore(shortlist))
        os.replace(part, run.shortlist_path)
    return batches.with_shortlist(np.load(run.shortlist_path))
