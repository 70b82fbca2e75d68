"""The training loop of LightDXML: cycles of label embeddings, shortlists and epochs."""

import logging

import keras
import numpy as np

from xmc_keras.bad_input import BadInput
from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.files.digests import check_digest, write_checked
from xmc_keras.files.unreadable import UNREADABLE
from xmc_keras.labels.label_centroids import compute_centroids
from xmc_keras.lightdxml.build import lightdxml_optimizer
from xmc_keras.lightdxml.label_proxy import LabelProxy, train_label_proxy
from xmc_keras.lightdxml.log_inclusion import log_inclusion
from xmc_keras.lightdxml.scores import choose_beta
from xmc_keras.lightdxml.shortlist_labels import shortlist_labels
from xmc_keras.progress import phase
from xmc_keras.runs.plot_curves import plot_curves
from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_history import RunHistory
from xmc_keras.training.callbacks.finite_loss import FiniteLoss
from xmc_keras.training.callbacks.progress import Progress
from xmc_keras.training.fit_epochs import compile_and_build, fit_epochs
from xmc_keras.training.phase_seconds import PhaseSeconds

logger = logging.getLogger(__name__)


def train_lightdxml(
    config,
    model,
    batches,
    validation_batches,
    relevant,
    run=None,
    callbacks=(),
    progress=True,
    phases=None,
):
    """Trains a `LightDXML` by its config, or resumes its run.

    Every `config.refresh` epochs the label embeddings are trained again and each
    document gets a new shortlist. After the last epoch the embeddings are trained once
    more, and `beta` is set to the best value on the validation split. With a run, the
    model is saved in its folder as `best.keras`.

    Args:
        config: a `Config` of `system: lightdxml`.
        model: a `LightDXML`, see `build_lightdxml`.
        batches: batches of training documents, see `build_training_inputs`.
        validation_batches: batches of validation documents, see `build_inputs`.
        relevant: csr matrix (validation documents, labels).
        run: optional `RunFolder`.
        callbacks: list of additional Keras callbacks.
        progress: bool. Whether to show progress. Defaults to `True`.
        phases: optional `PhaseSeconds`.

    Returns:
        `(history, checkpoint, report)`: see `train_lightxml`; `report` is the result
        of `choose_beta`, or None if the config has a `beta`.
    """
    phases = phases or PhaseSeconds()
    optimizer = lightdxml_optimizer(config, len(batches))
    compile_and_build(model, optimizer, config, validation_batches)
    checkpoint = RunCheckpoint(run and run.checkpoint_path, config.checkpoint_minutes)
    history = RunHistory(run and run.history_path)
    if run is not None:
        run.remove_half_written()
    if checkpoint.restore(model):
        logger.info(
            "Continuing at epoch %d, step %d of %d",
            *(checkpoint.epoch + 1, checkpoint.step + 1, len(batches)),
        )
    while checkpoint.epoch < config.epochs:
        begin = checkpoint.epoch // config.refresh * config.refresh
        end = min(begin + config.refresh, config.epochs)
        path = run and run.path / f"shortlist-{begin}.npy"
        if (checkpoint.epoch, checkpoint.step) == (begin, 0):
            shortlist = make_shortlist(config, model, batches, begin, phases)
            if run is not None:
                with write_checked(path) as file:
                    np.save(file, shortlist)
                # Checkpoints of earlier cycles are gone, too.
                for earlier in set(run.path.glob("shortlist-*.npy")) - {path}:
                    earlier.unlink()
        with phases("classifier epochs"):
            if run is not None:
                shortlist = load_shortlist(path)
            bar = [Progress(len(batches), config.epochs, checkpoint.step)]
            cycle = batches.with_shortlist(shortlist)
            try:
                fit_epochs(
                    model,
                    cycle,
                    validation_batches,
                    [
                        FiniteLoss(),
                        history,
                        *callbacks,
                        *(bar if progress else []),
                        checkpoint,
                    ],
                    checkpoint.epoch,
                    end,
                    checkpoint.step,
                )
            finally:
                # TensorFlow never lets go of the batches of a data set, and an open
                # file keeps its space on the disk after it is deleted.
                cycle.negatives = None
    if config.logq_correction:
        correct_bias(config, model.classifier.label_bias, batches.labels)
    with phase("Encoding all documents"):
        features = encode_documents(model.encoder, batches.in_order())
    model.refresh(embed_labels(config, features, batches.labels, config.epochs, phases))
    report = None
    if config.beta is None:
        with phases("choice of beta"):
            report = choose_beta(model, validation_batches, relevant)
        beta = float(model.beta.numpy())  # float32
        best = min(report, key=lambda tried: abs(tried - beta))
        quality = ", ".join(f"{k} {value:.2f}" for k, value in report[best].items())
        logger.info("beta %.2f, on the validation split: %s", beta, quality)
    if run is not None:
        for path in run.path.glob("shortlist-*.npy"):
            path.unlink()
        run.save_model(model, "best")
        plot_curves(run)
    return history.rows(), checkpoint, report


def correct_bias(config, label_bias, label_matrix):
    """Lowers the bias of labels that are seldom among the negatives of a batch."""
    change = log_inclusion(
        np.asarray(label_matrix.sum(axis=0)).ravel(),
        label_matrix.shape[0],
        config.batch_size,
        config.random_negatives,
    )
    label_bias.assign_add(config.logq_correction * change)


def make_shortlist(config, model, batches, epoch, phases):
    """Phases one and two: computes label embeddings, and shortlists from them.

    Returns:
        int32 array (documents, n), padded with `-1`.
    """
    with phase("Encoding all documents"):
        features = encode_documents(model.encoder, batches.in_order())
    embeddings = embed_labels(config, features, batches.labels, epoch, phases)
    model.refresh(embeddings)
    with phases("shortlists"):
        return shortlist_labels(
            features, embeddings, config.num_neighbors, batches.labels, config.search
        )


def embed_labels(config, features, label_matrix, epoch, phases):
    """Phase one: computes label embeddings (labels, dim).

    Seeded by the epoch, so that a resumed run computes the same.
    """
    with phases("label embeddings"):
        if not config.proxy_epochs:
            return compute_centroids(features, label_matrix)
        keras.utils.set_random_seed(config.seed + epoch)
        return train_label_proxy(
            LabelProxy(config.proxy_dim, dtype="float32"),
            features,
            label_matrix,
            config.proxy_epochs,
            config.proxy_learning_rate,
            config.proxy_batch_size,
            seed=config.seed + epoch,
        )


def load_shortlist(path):
    """Opens the shortlists of a cycle without reading them into memory."""
    try:
        shortlist = np.load(path, mmap_mode="r")
    except UNREADABLE as error:
        raise BadInput(
            f"Expected the shortlist of the cycle. Received: {error}.",
            path,
            remedy="Start the run again with `overwrite=True`.",
        ) from None
    check_digest(path)
    return shortlist
