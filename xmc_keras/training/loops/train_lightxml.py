"""The training loop of LightXML: one stage, or two with static negatives."""

import dataclasses
import logging

import numpy as np

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import write_checked
from xmc_keras.files.unreadable import UNREADABLE
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.lightxml.static_negatives import find_top_clusters
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.progress import phase
from xmc_keras.runs.model_file import load_state, save_state
from xmc_keras.runs.plot_curves import plot_curves
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.training.loops.train_stage import train_stage

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
    workers = Workers.of(model)
    with workers.scope():
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
    cluster_ids = None
    if workers.broadcast(run is not None and run.cluster_ids_path.exists()):
        if workers.is_chief:
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
        if workers.is_chief:
            in_order = batches.in_order()
            with phase("Finding the clusters of all documents"):
                found = find_top_clusters(recall, in_order.dataset())
            cluster_ids = in_order.restore(found)
        if run is not None:
            save_state(weights, recall)
            with write_checked(run.cluster_ids_path) as file:
                np.save(file, cluster_ids)
    cluster_ids = workers.broadcast(cluster_ids)
    if run is not None:
        recall_run.remove_checkpoint()
    if model.is_paired:
        model.encoder.begin_ranking()
        model.generator.trainable = False
    return batches.with_clusters(cluster_ids), seconds
