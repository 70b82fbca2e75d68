"""Export of models and runs as a version of a SavedModel."""

import contextlib
import dataclasses
import logging
from pathlib import Path

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import DiskError
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.recommending.thresholds.choose_thresholds import choose_thresholds
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.runs.run_folder import MODELS
from xmc_keras.serving.version.model_card import CARD_KEYS
from xmc_keras.serving.version.version_folder import new_version, reserve_version

logger = logging.getLogger(__name__)

# Documents to compare on. With reduced precision labels are compared instead of scores,
# which takes more documents.
CHECKED, CHECKED_REDUCED = 64, 1000


def export(
    models,
    folder,
    documents,
    k=None,
    precision="float32",
    encoder_precision="float32",
    weights=None,
    version=None,
    threshold=None,
    calibration=None,
):
    """Exports models as a SavedModel: raw text in, label names and scores out.

    The new version is a folder within `folder` whose name is its number, as TensorFlow
    Serving expects it. Before it appears there, it is loaded as a server loads it and
    compared with the models on the documents; a version that fails is not kept.

    Args:
        models: a `LightXML` or `LightDXML` with label names, or a list of them: an
            ensemble, which averages their scores.
        folder: string or path. The base folder of the versions.
        documents: list of strings to compare on, or a csr matrix (documents, features)
            for models that read features.
        k: optional int. Labels that the signature `serving_default` returns. Defaults
            to `5`, or to all that the models rank if these are fewer.
        precision: string. How label tables are stored: `"float32"`, `"float16"` or
            `"int8"`. Defaults to `"float32"`.
        encoder_precision: string. How other weights are stored: `"float32"` or
            `"float16"`. Defaults to `"float32"`.
        weights: optional list of floats. Weight of each model in an ensemble, of which
            only the shares count. By default all weigh the same.
        version: optional int. Defaults to the next number.
        threshold: optional float or string, see `choose_thresholds`. The least score of
            the labels that the signature `select` returns. Defaults to `"f1"` for a
            calibrated model or ensemble, and else to `0.5`.
        calibration: optional `Calibration` of an ensemble, see `calibrate_ensemble`.

    Returns:
        The number of the version.

    Raises:
        BadInput: `k` is out of range, the threshold cannot be chosen, the folder cannot
            be written, the packages of serving are missing, or the version answers
            differently.
    """
    if not isinstance(models, (list, tuple)):
        models = [models]
    cards = [
        {
            "name": model.name,
            "config": None,
            "metrics": None,
            "num_labels": len(model.label_set),
        }
        for model in models
    ]
    most = min(min(len(x.label_set), x.num_predictions) for x in models)
    k = choose_k(k, most)
    check_weights(weights, models, calibration)
    stored = precision, encoder_precision
    with (
        reserve_version(folder, version) as version,
        new_version(folder, version) as path,
    ):
        threshold = choose_own_threshold(models, threshold, calibration)
        options = weights, threshold, calibration
        write_version(models, documents, cards, path, folder, k, stored, *options)
    logger.info("Exported version %d to %s", version, folder)
    return version


def export_runs(
    runs,
    folder,
    k=None,
    precision="float32",
    encoder_precision="float32",
    weights=None,
    version=None,
    threshold=None,
    model=None,
    data=None,
):
    """Exports finished runs, compared with them on the test part of their data.

    Args:
        runs: list of `RunFolder`. The scores of several are calibrated by documents
            that none of them was trained on, see `calibrate_ensemble`; if there are too
            few, they stay as they are, and the log says so.
        model: optional string. Which of the runs' models; the best ones by default.
        data: optional string or path. The folder of the runs' data, if it was moved.
        folder, k, precision, encoder_precision, weights, version, threshold: see
            `export`.

    Returns:
        The number of the version.
    """
    check_weights(weights, runs)
    if data is not None:
        runs[0].data_folder(data)
    cards = [describe_run(run, model) for run in runs]
    most = min(min(x["num_labels"], x["config"]["num_predictions"]) for x in cards)
    k = choose_k(k, most)
    with (
        reserve_version(folder, version) as version,
        new_version(folder, version) as path,
    ):
        # TensorFlow takes seconds to import: other errors are reported before.
        from xmc_keras.evaluation.ensemble.calibrate_ensemble import calibrate_runs
        from xmc_keras.serving.version.documents_to_check import choose_documents

        models = []
        for run in runs:
            logger.info("Loading %s", run.path)
            models.append(run.load_model(model))
        stored = precision, encoder_precision
        most = CHECKED if set(stored) == {"float32"} else CHECKED_REDUCED
        documents = choose_documents(runs[0], models[0], most, data)
        calibration = None
        if len(runs) > 1:
            calibration = calibrate_runs(runs, models, weights, data)
        threshold = choose_own_threshold(models, threshold, calibration)
        options = weights, threshold, calibration
        write_version(models, documents, cards, path, folder, k, stored, *options)
    logger.info("Exported version %d to %s", version, folder)
    return version


@contextlib.contextmanager
def unoptimized_graphs():
    """Scope in which functions are traced to run as they are.

    Otherwise each function asks for its graph to be rewritten at its first call, even
    in a session that rewrites none. Rewriting takes most of the time in which a server
    gets ready, and makes answers no faster.
    """
    import tensorflow as tf

    optimizer = tf.config.optimizer
    before = optimizer.get_experimental_options()
    optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        off = before.get("disable_meta_optimizer", False)
        optimizer.set_experimental_options({"disable_meta_optimizer": off})


def choose_k(k, most):
    """Returns `k`, or its default; raises `BadInput` if it is out of range."""
    if k is None:
        return min(5, most)
    if not 1 <= k <= most:
        raise BadInput(
            f"Expected k between 1 and {most}, the labels that the model ranks for a "
            f"text. Received: {k}."
        )
    return k


def check_weights(weights, members, calibration=None):
    if weights is not None and len(members) == 1:
        raise BadInput(
            "Expected several models to weigh. Received: one.",
            remedy="Leave `weights` out.",
        )
    if calibration is not None and len(members) == 1:
        raise BadInput(
            "Expected several models with a calibration together. Received: one.",
            remedy="Leave calibration out: a model has its own.",
        )
    if weights is not None and len(weights) != len(members):
        raise BadInput(
            f"Expected as many weights as models, {len(members)}. Received: "
            f"{len(weights)}."
        )


def describe_run(run, model):
    """What the model card says of a run.

    Raises:
        BadInput: the run is not finished, or has no such model.
    """
    config = run.config()
    read_metrics(run, CARD_KEYS)  # a card cannot do without these
    metrics = read_metrics(run)
    run.model_path(model)
    return {
        "name": run.path.resolve().name,
        "config": dataclasses.asdict(config),
        # The metrics are those of the preferred model.
        "metrics": metrics if model in (None, MODELS[0]) else None,
        "num_labels": len(run.label_set()),
    }


def choose_own_threshold(models, threshold=None, calibration=None):
    """The threshold of an export, see `choose_thresholds` and `export`.

    Raises:
        BadInput: it cannot be chosen.
    """
    if len(models) == 1:
        calibration = models[0].calibration
    if threshold is None:
        threshold = 0.5 if calibration is None else "f1"
    return choose_thresholds(calibration, threshold)


def write_version(
    models, documents, cards, path, folder, k, stored, weights, threshold, calibration
):
    """Writes a version into the folder `path` and checks it there.

    Args:
        cards: list of dictionaries, see `write_model_card`.
        path: `Path` of the new version.
        stored: `(precision, encoder_precision)`.
        threshold: float array, see `choose_thresholds`.
        models, documents, folder, k, weights, calibration: see `export`.
    """
    import tensorflow as tf

    try:
        from xmc_keras.serving.version.warm_up import (
            make_warm_up_requests,
            write_warm_up,
        )
    except ImportError as error:
        raise BadInput(
            f"Expected the packages of serving. Received: none ({error}).",
            remedy="Run: pip install 'xmc-keras[serve]'",
        ) from None
    from xmc_keras.serving.graph.float32_model import convert_to_float32
    from xmc_keras.serving.graph.module_class import choose_module_class
    from xmc_keras.serving.version.check_export import check_export
    from xmc_keras.serving.version.documents_to_check import LONG_TEXT, predict_names
    from xmc_keras.serving.version.model_card import write_model_card
    from xmc_keras.serving.version.version_digests import record_version

    # It would make scores depend on how texts are batched, in the third digit.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    models = [convert_to_float32(model) for model in models]
    serving_module = choose_module_class(models)
    ensemble = {"weights": weights, "calibration": calibration}
    module = serving_module(models, k, *stored, threshold=threshold, **ensemble)
    coarsest = min(stored, key=("int8", "float16", "float32").index)
    several = documents[:8]
    if isinstance(documents, list):
        several = [*documents[:7], LONG_TEXT]

    logger.info(
        "Writing %d labels, their table in %s, other weights in %s",
        *(len(module.labels), *stored),
    )
    signatures = module.signatures()
    descriptions = {
        name: " ".join(function.python_function.__doc__.split())
        for name, function in signatures.items()
    }
    try:
        with unoptimized_graphs():
            tf.saved_model.save(module, str(path), signatures)
        names = module.labels.names.numpy()
        requests = make_warm_up_requests(
            *map(module.inputs_of, (documents[:1], several)), names[:2]
        )
        write_warm_up(requests, path)
        extra = path / "assets.extra"
        (extra / "labels.txt").write_bytes(b"".join(name + b"\n" for name in names))
        titles = {}
        for model in models[::-1]:  # those of the first one win
            titles |= model.label_set.titles
        if titles:
            labels = LabelSet([name.decode() for name in names], titles)
            labels.save_titles(extra / "label_titles.txt")
        answers = calibration and calibration.answers
        calibrated_on = 0 if answers is None else len(answers.label_ids)
        card = write_model_card(cards, descriptions, *stored, weights, calibrated_on)
        (extra / "model_card.md").write_text(card, encoding="utf-8")
        record_version(path)
    except (OSError, DiskError, tf.errors.OpError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise BadInput(
            f"Expected to write a SavedModel. Received: {reason:.300}.",
            Path(folder),
            remedy="Free disk space, or choose another folder.",
        ) from None

    inputs = module.inputs_of(documents)
    if len(models) == 1:
        expected = predict_names(models[0], documents, k)
    else:  # the ensemble in float32
        whole = serving_module(models, k, **ensemble)
        ask = whole.signatures()["serving_default"]
        answer = ask(**{name: tf.constant(value) for name, value in inputs.items()})
        expected = [
            [(name.decode("utf-8"), score) for name, score in zip(*row) if name]
            for row in zip(answer["labels"].numpy(), answer["scores"].numpy())
        ]
    logger.info("Checking it on %d documents", len(expected))
    agreement = check_export(path, inputs, expected, coarsest)
    logger.info(
        "It answers like the model: the same best labels for %.1f%% of them",
        100 * agreement,
    )
