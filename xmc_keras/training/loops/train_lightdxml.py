"""The training loop of LightDXML: cycles of label embeddings, shortlists and epochs."""

import contextlib
import logging

import keras
import numpy as np

from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digest, write_checked
from xmc_keras.files.unreadable import UNREADABLE
from xmc_keras.labels.label_centroids import compute_centroids
from xmc_keras.lightdxml.build import lightdxml_optimizer
from xmc_keras.lightdxml.label_proxy import LabelProxy, train_label_proxy
from xmc_keras.lightdxml.scores import choose_beta
from xmc_keras.lightdxml.shortlist_labels import shortlist_labels
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.progress import phase
from xmc_keras.runs.plot_curves import plot_curves
from xmc_keras.runs.read_history import PRECISIONS
from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_history import RunHistory
from xmc_keras.training.callbacks.best_model import BestModel, choose_monitor
from xmc_keras.training.callbacks.finite_loss import FiniteLoss
from xmc_keras.training.callbacks.judge import Judge
from xmc_keras.training.callbacks.progress import Progress
from xmc_keras.training.loops.fit_epochs import compile_and_build, fit_epochs
from xmc_keras.training.phase_seconds import PhaseSeconds

logger = logging.getLogger(__name__)

CHOSEN = ("logq_correction", "label_words_factor", "beta")  # by `finish`


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
    trained_classifier=False,
):
    """Trains a `LightDXML` by its config, or resumes its run.

    Every `config.refresh` epochs the label embeddings are trained again and each
    document gets a new shortlist. The model is judged before the first epoch and after
    each one; the best one is kept, and finished: see `Judge`, `BestModel` and
    `finish`. With a run, it is saved in its folder as `best.keras`.

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
        trained_classifier: bool. Whether the model has the classifier of an earlier
            training. Defaults to `False`.

    Returns:
        `(history, checkpoint, found)`: see `train_lightxml`; `found` also has what
        `finish` found.
    """
    phases = phases or PhaseSeconds()
    workers = Workers.of(model)
    with workers.scope():
        optimizer = lightdxml_optimizer(config, len(batches))
    compile_and_build(model, optimizer, config, validation_batches)
    checkpoint = RunCheckpoint(run and run.checkpoint_path, config.checkpoint_minutes)
    history = RunHistory(run and run.history_path)
    if run is not None:
        run.remove_half_written()
    judge = Judge(config, model, batches, validation_batches, relevant)
    monitor = choose_monitor(batches.labels, relevant, PRECISIONS)
    saved = workers.broadcast(run is not None)  # by the chief
    keeps = run is not None or not saved
    best = BestModel(run, monitor, config.patience, state=True, keeps=keeps)
    best.set_model(model)
    if checkpoint.restore(model):
        best.restore(checkpoint.epoch)
        logger.info(
            "Continuing at epoch %d, step %d of %d",
            *(checkpoint.epoch + 1, checkpoint.step + 1, len(batches)),
        )
    elif monitor and (trained_classifier or judge.knows_start):
        start = contextlib.nullcontext() if trained_classifier else judge.start()
        with phases("classifier epochs"), phase("Judging the start"), start:
            best.count_start(model, judge.judge())
    stopped = best.exhausted(checkpoint.epoch)
    while checkpoint.epoch < config.epochs and not stopped:
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
        else:
            shortlist = None if run is None else load_shortlist(path)
            shortlist = workers.broadcast(shortlist)
        with phases("classifier epochs"):
            if run is not None:
                shortlist = load_shortlist(path)
            bar = [Progress(len(batches), config.epochs, checkpoint.step)]
            cycle = batches.with_shortlist(shortlist)
            try:
                stopped = fit_epochs(
                    model,
                    cycle,
                    validation_batches,
                    [
                        FiniteLoss(),
                        judge,
                        best,
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
    best.use_best()
    found = best.summary(config.epochs)
    found |= finish(config, model, judge, phases)
    if run is not None:
        for path in run.path.glob("shortlist-*.npy"):
            path.unlink()
        run.save_model(model, "best")
        plot_curves(run)
    return history.rows(), checkpoint, found


def finish(config, model, judge, phases):
    """Makes a model with the weights of one epoch ready for use.

    Computes the label embeddings for it, and chooses on the validation split what the
    config leaves open: the share of log q, the scale of label words, and `beta`.

    Args:
        config, model, phases: see `train_lightdxml`.
        judge: the `Judge` of the model.

    Returns:
        Dictionary for the metrics of the run: `validation`, P@1, P@3 and P@5 in percent
        on the validation split; `logq_correction`, the share with shared negatives;
        `label_words_factor` with label words; without a `beta` in the config, `beta`
        and `validation_by_beta`, the result of `choose_beta`.
    """
    batches, found = judge.batches, {}
    refresh_labels(config, model, batches, config.epochs, phases)
    with phases("choice of beta"):
        _, weights = judge.choose(judge.betas)
        judge.apply(weights)
        betas = () if config.beta is None else [judge.betas]
        report = choose_beta(model, judge.validation_batches, judge.relevant, *betas)
    beta = float(model.beta.numpy())  # float32
    best = min(report, key=lambda tried: abs(tried - beta))
    found["validation"] = report[best]
    if judge.log_q is not None:
        found["logq_correction"] = weights.share
    if model.lexical is not None:
        found["label_words_factor"] = weights.factor
    if config.beta is None:
        found |= {"beta": beta, "validation_by_beta": report}
    values = {key: found[key] for key in CHOSEN if key in found} | report[best]
    logger.info(
        "Chosen on the validation split: %s",
        ", ".join(f"{key} {value:.2f}" for key, value in values.items()),
    )
    return found


def make_shortlist(config, model, batches, epoch, phases):
    """Phases one and two: computes label embeddings, and shortlists from them.

    Returns:
        int32 array (documents, n), padded with `-1`.
    """
    features, embeddings = refresh_labels(config, model, batches, epoch, phases)
    workers = Workers.of(model)
    with phases("shortlists"):
        shortlist = np.zeros((len(features), config.num_neighbors), np.int32)
        own = slice(workers.index, None, workers.count)
        found = shortlist_labels(
            features[own],
            embeddings,
            config.num_neighbors,
            batches.labels[own],
            config.search,
        )
        shortlist[own, : found.shape[1]] = found
        return workers.sum(shortlist[:, : found.shape[1]])


def refresh_labels(config, model, batches, epoch, phases):
    """Phase one: computes features of documents and label embeddings, and sets these.

    Workers share the documents out; the chief trains the embeddings.
    """
    workers = Workers.of(model)
    with phase("Encoding all documents"):
        features = encode_documents(model.encoder, batches.in_order(), workers)
    embeddings = None
    if workers.is_chief:
        embeddings = embed_labels(config, features, batches.labels, epoch, phases)
    embeddings = workers.broadcast(embeddings)
    model.refresh(embeddings)
    return features, embeddings


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
