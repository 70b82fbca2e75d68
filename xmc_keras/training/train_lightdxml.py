"""The training of LightDXML: embeddings, shortlists and epochs, in cycles."""

import logging

import keras
import numpy as np

from xmc_keras.bad_input import BadInput
from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.labels.label_centroids import compute_centroids
from xmc_keras.lightdxml.build import lightdxml_optimizer
from xmc_keras.lightdxml.label_proxy import LabelProxy, train_label_proxy
from xmc_keras.lightdxml.log_inclusion import log_inclusion
from xmc_keras.lightdxml.scores import choose_beta
from xmc_keras.lightdxml.shortlist_labels import shortlist_labels
from xmc_keras.metrics.precision_at_k import PrecisionAtK
from xmc_keras.runs.plot_curves import plot_curves
from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_history import RunHistory
from xmc_keras.training.callbacks.finite_loss import FiniteLoss
from xmc_keras.training.callbacks.progress import Progress

logger = logging.getLogger("fit")


def train_lightdxml(config, run, model, batches, validation_batches, relevant, phases):
    """Trains a `LightDXML` as the config says, or on from a checkpoint.

    Every `config.refresh` epochs the label embeddings are trained anew and each
    document gets its shortlist; after the last epoch once more the embeddings. Leaves
    the model as `best.keras`, with the `beta` that is best on the validation split.

    Args:
        config: a `Config`.
        run: a `RunFolder`.
        model: a `LightDXML`.
        batches, validation_batches: of the documents, with labels.
        relevant: csr matrix (validation documents, labels).
        phases: a `PhaseSeconds`.

    Returns:
        `(checkpoint, report)`: the `RunCheckpoint`, to be removed once the run has its
        metrics, and what `choose_beta` found (None for a `config.beta`).
    """
    model.compile(
        optimizer=lightdxml_optimizer(config, len(batches)),
        metrics=[PrecisionAtK(k) for k in (1, 3, 5)],
        jit_compile=config.jit_compile,
    )
    # Built before `fit`, because a checkpoint is read into variables that exist.
    model(next(validation_batches.batches(0))[0])
    model.optimizer.build(model.trainable_variables)
    checkpoint = RunCheckpoint(run.checkpoint_path, config.checkpoint_minutes)
    run.remove_half_written()
    if checkpoint.restore(model):
        logger.info(
            "Continuing at epoch %d, step %d of %d",
            *(checkpoint.epoch + 1, checkpoint.step + 1, len(batches)),
        )
    while checkpoint.epoch < config.epochs:
        begin = checkpoint.epoch // config.refresh * config.refresh
        end = min(begin + config.refresh, config.epochs)
        path = run.path / f"shortlist-{begin}.npy"
        if (checkpoint.epoch, checkpoint.step) == (begin, 0):
            make_shortlist(config, model, batches, begin, path, phases)
        with phases("classifier epochs"):
            negatives = batches.with_shortlist(load_shortlist(path))
            fit_cycle(
                config, run, model, negatives, validation_batches, end, checkpoint
            )
    for path in run.path.glob("shortlist-*.npy"):
        path.unlink()
    if config.logq_correction:
        correct_bias(config, model.classifier.label_bias, batches.labels)
    features = encode_documents(model.encoder, batches.in_order())
    model.refresh(embed_labels(config, features, batches.labels, config.epochs, phases))
    report = None
    if config.beta is None:
        with phases("choice of beta"):
            report = choose_beta(model, validation_batches, relevant)
        beta = float(model.beta.numpy())  # as float32 has it
        tried = min(report, key=lambda one: abs(one - beta))
        logger.info("beta %.2f, on the validation split: %s", beta, report[tried])
    run.save_model(model, "best")
    plot_curves(run)
    return checkpoint, report


def correct_bias(config, label_bias, label_matrix):
    """Lowers the bias of labels that batches seldom had among their negatives."""
    change = log_inclusion(
        np.asarray(label_matrix.sum(axis=0)).ravel(),
        label_matrix.shape[0],
        config.batch_size,
        config.random_negatives,
    )
    label_bias.assign_add(config.logq_correction * change)


def make_shortlist(config, model, batches, epoch, path, phases):
    """Phases one and two: new label embeddings, and a shortlist file from them."""
    features = encode_documents(model.encoder, batches.in_order())
    embeddings = embed_labels(config, features, batches.labels, epoch, phases)
    model.refresh(embeddings)
    with phases("shortlists"):
        shortlist = shortlist_labels(
            features, embeddings, config.num_neighbors, batches.labels, config.search
        )
        with atomic_write(path) as file:
            np.save(file, shortlist)


def embed_labels(config, features, label_matrix, epoch, phases):
    """Phase one. Seeded by the epoch, so that a resumed run gets the same."""
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
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(
            f"Expected the shortlist of the cycle. Received: {error}. Start the run "
            "anew with --overwrite.",
            path,
        ) from None


def fit_cycle(config, run, model, batches, validation_batches, end, checkpoint):
    """Phase three: `model.fit` to the epoch `end`, from where the checkpoint is."""
    callbacks = [
        FiniteLoss(),
        RunHistory(run.history_path),
        Progress(len(batches), config.epochs, checkpoint.step),
        checkpoint,
    ]
    spans = [(checkpoint.epoch, checkpoint.step, end)]
    if checkpoint.step:  # the rest of an epoch is a `fit` of its own
        spans[0] = (checkpoint.epoch, checkpoint.step, checkpoint.epoch + 1)
        spans.append((checkpoint.epoch + 1, 0, end))
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
