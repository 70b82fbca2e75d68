"""LightDXML's part of a run, from words to a trained model."""

import logging
import time

import numpy as np

from xmc_keras.bad_input import BadInput
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.labels.label_features import label_features
from xmc_keras.lightdxml.hnsw_rows import make_hnsw_index
from xmc_keras.training.planning.check_memory import check_plan
from xmc_keras.training.planning.lightdxml_plan import LightDXMLPlan

logger = logging.getLogger("fit")


def fit_lightdxml(config, run, parts, label_set, continued, args):
    """Turns texts into rows of weighted words, and trains a model in cycles.

    Arguments and result are those of `fit_lightxml`.
    """
    train, validation, test = (parts[name] for name in ("train", "validation", "test"))
    check_search(config)
    import keras

    from xmc_keras.data.inputs import build_inputs
    from xmc_keras.encoders.pretrained import load_encoder
    from xmc_keras.lightdxml.build import build_lightdxml, fit_vectorizer
    from xmc_keras.training.phase_seconds import PhaseSeconds
    from xmc_keras.training.train_lightdxml import train_lightdxml

    # === Words ===
    begun = time.monotonic()
    vectorizer, features = None, getattr(train, "features", None)
    if features is None:
        vectorizer = fit_vectorizer(config, train.texts)
        features = vectorizer.transform(train.texts)
    words_seconds = time.monotonic() - begun
    label_matrix = label_set.encode(train.labels)
    warn_of_empty(features, label_matrix)
    if not args.any_memory:
        plan = plan_lightdxml(config, parts["everything"], features, len(label_set))
        check_plan(plan, args.config)
    if not continued:
        run.begin(config, label_set, None, parts["everything"])
    phases = PhaseSeconds(run.path / "phases.json")
    phases.add("words", words_seconds)

    # === Model ===
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    backbone = tokenizer = None
    if config.encoder != "words":
        logger.info("Loading the encoder %s", config.encoder)
        backbone, tokenizer = load_encoder(config.encoder)
    try:
        model = build_lightdxml(
            config,
            label_set.names,
            vectorizer if backbone is None else None,
            backbone,
            tokenizer,
            features.shape[1],
        )
    except ValueError as error:
        raise BadInput(f"This config does not fit its encoder. {error}", args.config)

    if model.lexical is not None:
        with phases("words"):
            model.lexical.build()
            model.lexical.refresh(features, label_matrix)

    # === Training ===
    batches = build_inputs(config, run, model, train.texts, label_matrix, features)
    relevant = label_set.encode(validation.labels)[:, : len(label_set)]
    validation_batches = build_inputs(config, run, model, validation.texts, relevant)
    checkpoint, report = train_lightdxml(
        config, run, model, batches, validation_batches, relevant, phases
    )
    found = {"phase_seconds": {k: round(v, 1) for k, v in phases.seconds.items()}}
    if report is not None:
        found["beta"] = float(model.beta.numpy())
        found["validation_by_beta"] = report
    phases.remove()
    test_batches = build_inputs(config, run, model, test.texts)
    test_rows = test.texts if vectorizer is None else vectorizer.transform(test.texts)
    rows = test_rows, label_features(features, label_matrix)
    return checkpoint, test_batches, rows, found


def plan_lightdxml(config, documents, features, num_labels):
    """The `LightDXMLPlan` of a run on documents, of which some have these features."""
    encoder, sizes = None, (features.shape[1], features.nnz / features.shape[0])
    if config.encoder != "words":
        encoder, sizes = EncoderShape.named(config.encoder), (0, 0.0)
    most_labels = max(map(len, documents.labels))
    count = len(documents)
    return LightDXMLPlan(config, num_labels, count, *sizes, most_labels, encoder)


def check_search(config):
    """BadInput where the package of a search is missing, before it is needed."""
    if config.search == "hnsw":
        make_hnsw_index(1, 1)


def warn_of_empty(features, label_matrix):
    """Logs how many documents say nothing, and labels of which nothing is said."""
    documents = np.count_nonzero(np.diff(features.indptr) == 0)
    if documents:
        logger.warning(
            "%d of %d training documents have no known word; they count as a text "
            "without words.",
            *(documents, features.shape[0]),
        )
    labels = np.count_nonzero(np.asarray(label_matrix.sum(axis=0)) == 0)
    if labels:
        logger.warning(
            "%d of %d labels have no document to train on, only in the validation "
            "split or left out; they can hardly be found.",
            *(labels, label_matrix.shape[1]),
        )
