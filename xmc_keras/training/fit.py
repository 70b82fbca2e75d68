"""Training a model from documents and a config."""

import contextlib
import dataclasses
import importlib.metadata
import logging
import sys
import time

import numpy as np

from xmc_keras import __version__
from xmc_keras.config.config import Config
from xmc_keras.config.resolve_config import (
    describe_sizes,
    limit_sizes,
    resolve_config,
)
from xmc_keras.data.check_documents import (
    check_labels_known,
    check_split,
    check_trainable,
)
from xmc_keras.data.documents import Documents, documents_digest
from xmc_keras.data.feature_documents import FeatureDocuments
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.data.label_texts import (
    add_label_documents,
    find_label_texts,
    find_label_titles,
)
from xmc_keras.data.splits import split_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import digest_json
from xmc_keras.files.disk_error import DiskError
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.metrics.baselines import rank_by_popularity, rank_by_similarity
from xmc_keras.ops.distribution.lost_workers import explain_lost_workers
from xmc_keras.ops.distribution.start_strategy import start_strategy
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.progress import Heartbeat, phase
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.runs.run_folder import MAY_CHANGE, RunFolder
from xmc_keras.training.calibrate_trained import calibrate_trained
from xmc_keras.training.fit_result import FitResult
from xmc_keras.training.memory import measure_peak_memory
from xmc_keras.training.systems.fit_lightdxml import fit_lightdxml
from xmc_keras.training.systems.fit_lightxml import fit_lightxml
from xmc_keras.training.systems.fit_one_vs_all import fit_one_vs_all
from xmc_keras.training.task import Task

logger = logging.getLogger(__name__)

SYSTEMS = {
    "lightxml": fit_lightxml,
    "lightdxml": fit_lightdxml,
    "one_vs_all": fit_one_vs_all,
}
# Of which all workers need the same version.
PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy", "scipy")
# With more labels, comparing every test document with every label takes longer than a
# baseline is worth.
NEAREST_LABELS = 100_000


def fit(
    config,
    train,
    validation=None,
    test=None,
    run=None,
    resume=False,
    overwrite=False,
    any_memory=False,
    callbacks=(),
    progress=True,
    learn_validation=None,
    start_from=None,
):
    """Trains the model of a config, and evaluates it.

    Args:
        config: a `Config`, see `load_config`. Sizes that are null are chosen for the
            documents, see `resolve_config`, and logged. If it names the folder of
            other data, its sizes are limits.
        train: `Documents` or `FeatureDocuments` to train on.
        validation: optional documents to choose the best epoch by. By default
            `config.validation_documents` of `train`, drawn at random, or by the groups
            of documents with `config.validation_by`.
        test: optional documents to evaluate the model on. By default it is evaluated
            on the validation documents, which a linear model (`linear`) then does not
            learn from in the end.
        run: optional string, path or `RunFolder`. The folder for config, models,
            checkpoints, history and metrics. By default nothing is saved.
        resume: bool. Continue the run in the folder. Defaults to `False`.
        overwrite: bool. Replace the run in the folder. Defaults to `False`.
        any_memory: bool. Start even if the estimated memory is too large. Defaults to
            `False`.
        callbacks: list of additional Keras callbacks for `model.fit`.
        progress: bool. Whether to show progress, and in the log a line at least every
            half minute, by a `Heartbeat`. Defaults to `True`.
        learn_validation: optional bool. Whether a linear model learns from validation
            documents drawn from `train`, too, once they have chosen what they are for.
            By default only if there are test documents to evaluate it on. If it did
            and there are none, the metrics are P@k on the validation documents before.
        start_from: optional model of an earlier training, of the same system and
            encoder, which stays as it is. Training starts from its weights: of the
            encoder; of a LightXML's heads, if labels and sizes are the same; of the
            words and labels that a LightDXML knows.

    Returns:
        A `FitResult`.

    Raises:
        ValueError: `config` is no `Config`, or documents are not `Documents` or
            `FeatureDocuments`.
        BadInput: config, documents and run do not fit together; another program is
            writing the run; there is too little memory; or the loss becomes infinite
            or NaN.

    Example:

    >>> from xmc_keras import Config, Documents
    >>> texts = ["a puzzle game", "an editor of texts", "a game of cards"] * 20
    >>> labels = [["game"], ["editor"], ["game"]] * 20
    >>> config = Config(system="lightdxml", encoder="words", embedding_dim=8,
    ...     epochs=2, proxy_epochs=0)
    >>> result = fit(config, Documents(texts, labels), progress=False)
    >>> len(result.history), sorted(result.model.label_set.names)
    (2, ['editor', 'game'])
    """
    parts = {"train": train, "validation": validation, "test": test}
    _check_arguments(config, parts, callbacks, start_from)
    if run is not None and not isinstance(run, RunFolder):
        run = RunFolder(run)
    if learn_validation is None:
        learn_validation = test is not None
    workers = start_workers(config)
    if not workers.is_chief:  # which alone writes
        run, progress = None, False
    settings = resume, overwrite, any_memory, callbacks, progress, learn_validation
    with (
        explain_lost_workers(workers),
        contextlib.nullcontext() if run is None else run.lock,
    ):
        parts = train, validation, test
        return _fit(config, *parts, run, *settings, start_from, workers)


def start_workers(config):
    """Starts the strategy of a config, before anything else uses TensorFlow.

    Returns:
        `Workers`, of one process unless `distribute` is `multi_worker`.
    """
    strategy = start_strategy(config.distribute, config.replicas)
    if strategy is not None:
        replicas = strategy.num_replicas_in_sync
        if config.batch_size % replicas:
            raise BadInput(
                f"Expected batch_size to be a multiple of the {replicas} replicas that "
                f"share a batch. Received: {config.batch_size}."
            )
    return Workers(strategy)


def _check_arguments(config, parts, callbacks, start_from):
    """Raises an error for arguments of other kinds, before work begins."""
    if not isinstance(config, Config):
        raise ValueError(
            f"Expected `config` to be a `Config`. Received: {config!r:.80}. "
            "`load_config` reads one from a recipe."
        )
    for name, part in parts.items():
        if part is None and name != "train":
            continue
        if not isinstance(part, Documents | FeatureDocuments):
            raise ValueError(
                f"Expected `{name}` to be `Documents` or `FeatureDocuments`. Received: "
                f"{type(part).__name__}."
            )
        if name != "train" and not len(part):
            raise BadInput(f"Expected documents in `{name}`. Received: none.")
    for callback in callbacks:
        if not hasattr(callback, "set_model"):
            raise ValueError(
                "Expected `callbacks` to be a list of Keras callbacks. Received: "
                f"{callback!r:.80} in it."
            )
    if start_from is not None and start_from.system != config.system:
        raise ValueError(
            f"Expected `start_from` to be a model of {config.system}. Received: "
            f"{type(start_from).__name__}."
        )


def _fit(
    config,
    train,
    validation,
    test,
    run,
    resume,
    overwrite,
    any_memory,
    callbacks,
    progress,
    learn_validation,
    start_from,
    workers,
):
    """Trains with the run, if any, locked; see `fit`."""
    begun = time.monotonic()
    config = limit_sizes(config, train)
    if config.label_documents:
        train = find_label_texts(train)
    titles = find_label_titles(train, config.titles)
    if run is not None:
        run.check(config, resume, overwrite)
    finished = run is not None and resume and run.finished
    if workers.broadcast(finished):
        result = None
        if finished:
            run.check_data(train)
            logger.info("This run is finished: see %s", run.metrics_path)
            run.remove_checkpoint()
            result = load_result(run)
        workers.wait()
        return result
    check_same(workers, config, train, validation)
    check_trainable(train)
    label_set = LabelSet.from_labels(train.labels, titles)
    for documents in (validation, test):
        if documents is not None:
            check_labels_known(documents, label_set)
    continued = run is not None and resume and run.config_path.exists()
    if continued:
        run.check_data(train)
        changed = {key: getattr(config, key) for key in MAY_CHANGE}
        config = dataclasses.replace(run.config(), **changed)
    else:
        given, config = config, resolve_config(config, len(train), len(label_set))
        sizes = describe_sizes(given, config)
        if sizes:
            logger.info("Chosen for this data: %s", sizes)
    part, drawn = train, validation is None
    if drawn:
        split = split_documents(config, len(train), train.groups)
        part, validation = map(train.subset, split)
    check_split(part, validation, label_set)
    if config.label_documents:
        part = add_label_documents(part, train.label_texts, label_set)
    logger.info(
        "%d documents to train on, %d to validate, %d to test, %d labels",
        *(len(part), len(validation), len(test or ()), len(label_set)),
    )
    task = Task(
        config=config,
        everything=train,
        train=part,
        validation=validation,
        learn_validation=drawn and learn_validation,
        label_set=label_set,
        run=run,
        continued=continued,
        any_memory=any_memory,
        callbacks=callbacks,
        progress=progress,
        start_from=getattr(start_from, "transformer", start_from),  # of a Hybrid
        workers=workers,
        chief_cache=workers.broadcast(run and str(run.cache_path.resolve())),
    )
    with Heartbeat() if progress else contextlib.nullcontext(), keep_policy():
        try:
            trained = SYSTEMS[config.system](task)
            return finish(task, trained, test, begun)
        except DiskError as error:
            raise error.resumable() from error


def check_same(workers, config, train, validation):
    """Raises `BadInput` on every worker if recipes, data or packages differ."""
    if workers.count == 1:
        return
    keys = {k: v for k, v in dataclasses.asdict(config).items() if k != "data"}
    data = [documents_digest(part) for part in (train, validation) if part is not None]
    workers.check_same(
        {
            "recipe": digest_json(keys),
            "data": " ".join(data),
            "versions": ", ".join(
                [f"xmc-keras {__version__}"]
                + [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
            ),
        }
    )


def finish(task, trained, test, begun):
    """Evaluates a trained model: the chief does so, and gives others its metrics."""
    workers, result = task.workers, None
    if workers.is_chief:
        result = evaluate_trained(task, trained, test, begun)
    metrics = workers.broadcast(None if result is None else result.metrics)
    if result is None:
        # The best model is in the chief's run, if it has one.
        model = trained.model if task.chief_cache is None else None
        history, seconds = trained.history, trained.checkpoint.seconds
        result = FitResult(model, history, metrics, seconds)
    workers.wait()
    return result


@contextlib.contextmanager
def keep_policy():
    """Context manager after which Keras has the dtype policy of before."""
    # Imported already if the program has set one.
    keras = sys.modules.get("keras")
    policy = "float32" if keras is None else keras.config.dtype_policy()
    try:
        yield
    finally:
        if keras := sys.modules.get("keras"):
            keras.config.set_dtype_policy(policy)


def evaluate_trained(task, trained, test, begun):
    """Evaluates a model right after training, and finishes its run.

    Args:
        task: the `Task`.
        trained: `Trained`.
        test: documents, or None for the validation documents.
        begun: float. Monotonic time at which `fit` began.

    Returns:
        A `FitResult`.
    """
    # Imported late: TensorFlow takes seconds to import, and other errors come first.
    from xmc_keras.evaluation.below_baselines import warn_of_baselines
    from xmc_keras.evaluation.evaluate import evaluate_checked

    config, train, run = task.config, task.everything, task.run
    model, checkpoint = trained.model, trained.checkpoint
    if run is not None:
        model = run.load_model()
    calibrated = calibrate_trained(task, trained, model)
    held_out = task.validation if test is None else test
    part = "validation" if test is None else "test"
    if test is None and trained.found.get("learnt_validation"):
        metrics = dict(trained.found["validation"])
    else:
        cache = run and run.cache_path
        metrics = evaluate_checked(model, held_out, cache, train=train, config=config)
    with phase("Evaluating the baselines"):
        metrics["baselines"] = evaluate_baselines(trained, task, held_out)
    metrics["warnings"] = warn_of_baselines(metrics, metrics["baselines"], config, part)
    for warning in metrics["warnings"]:
        logger.warning(warning)
    metrics.update(
        evaluated_on=part,
        train_documents=len(task.train),
        validation_documents=len(task.validation),
        calibrated_on=calibrated,
        skipped_lines=train.skipped + (0 if test is None else test.skipped),
        propensity_a=config.propensity_a,
        propensity_b=config.propensity_b,
        train_seconds=round(checkpoint.seconds, 1),
        seconds=round(time.monotonic() - begun + checkpoint.earlier_seconds, 1),
        peak_memory_gb=round(measure_peak_memory(), 2),
        **trained.found,
    )
    if run is not None:
        run.save_metrics(metrics)
        run.remove_checkpoint()
    return FitResult(model, trained.history, metrics, checkpoint.seconds)


def load_result(run):
    """The `FitResult` of a finished run."""
    from xmc_keras.runs.read_history import read_history

    metrics = read_metrics(run)
    history = read_history(run.history_path)
    return FitResult(run.load_model(), history, metrics, metrics["train_seconds"])


def evaluate_baselines(trained, task, documents):
    """Metrics of two baselines: most popular labels, and nearest label by TF-IDF."""
    from xmc_keras.evaluation.evaluate import measure_ranking

    label_set = task.label_set
    filtered = encode_filtered_labels(documents, label_set)
    # Five, and as many more as the filter may remove from a document.
    most = 5 + (0 if filtered is None else int(np.diff(filtered.indptr).max()))
    labels = label_set.encode(task.train.labels)
    tops = {"most popular labels": rank_by_popularity(labels, len(documents), most)}
    if len(label_set) <= NEAREST_LABELS:
        rows = documents.texts
        if trained.vectorizer is not None:
            rows = trained.vectorizer.transform(rows)
        tops["nearest label by TF-IDF"] = rank_by_similarity(
            rows, trained.label_features, most
        )
    return {
        name: measure_ranking(
            top, documents, label_set, task.everything, task.config, filtered
        )
        for name, top in tops.items()
    }
