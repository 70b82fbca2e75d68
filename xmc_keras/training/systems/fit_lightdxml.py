"""Training LightDXML from documents: words, model, cycles."""

import logging
import time

import numpy as np

from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_features import label_features
from xmc_keras.lightdxml.hnsw_rows import make_hnsw_index
from xmc_keras.progress import phase
from xmc_keras.text.languages import warn_of_language
from xmc_keras.training.phase_seconds import PhaseSeconds
from xmc_keras.training.planning.check_memory import check_plan
from xmc_keras.training.planning.lightdxml_plan import LightDXMLPlan
from xmc_keras.training.task import Trained

logger = logging.getLogger(__name__)


def fit_lightdxml(task):
    """Turns texts into rows of weighted words, and trains a `LightDXML` in cycles.

    Args:
        task: a `Task`. Starts its run, if any, unless it is continued.

    Returns:
        `Trained`.
    """
    config, run, label_set = task.config, task.run, task.label_set
    if config.search == "hnsw":
        make_hnsw_index(1, 1)  # an error now if its package is missing
    # Imported late: TensorFlow takes seconds to import, and other errors come first.
    import keras

    from xmc_keras.data.inputs import build_inputs, build_training_inputs
    from xmc_keras.encoders.pretrained import load_encoder
    from xmc_keras.lightdxml.build import build_lightdxml, fit_vectorizer
    from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers
    from xmc_keras.recommending.whole_model import whole_model
    from xmc_keras.training.loops.fit_epochs import build
    from xmc_keras.training.loops.join_linear import join_linear
    from xmc_keras.training.loops.train_lightdxml import train_lightdxml
    from xmc_keras.training.loops.warm_start import start_lightdxml

    # === Words ===
    begun = time.monotonic()
    vectorizer, features = None, getattr(task.train, "features", None)
    if features is None:
        with phase(f"Counting the words of {len(task.train)} texts"):
            texts = list(task.train.texts)
            if config.linear and task.learn_validation:
                texts += task.validation.texts
            vectorizer = fit_vectorizer(config, texts)
            features = vectorizer.transform(task.train.texts)
    words_seconds = time.monotonic() - begun
    label_matrix = label_set.encode(task.train.labels)
    warn_of_empty(features)
    if not task.any_memory:
        check_plan(plan_lightdxml(config, task.everything, features, len(label_set)))
    if run is not None and not task.continued:
        run.begin(config, label_set, None, task.everything)
    phases = PhaseSeconds(run and run.phases_path)
    phases.add("words", words_seconds)

    # === Model ===
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    backbone = tokenizer = None
    if config.encoder != "words":
        logger.info("Loading the encoder %s", config.encoder)
        with phase(f"Loading the encoder {config.encoder}"), task.workers.scope():
            backbone, tokenizer = load_encoder(config.encoder)
        warn_of_language(config.encoder, task.train.texts, tokenizer)
    try:
        with task.workers.scope():
            model = build_lightdxml(
                config,
                label_set.names,
                vectorizer if backbone is None else None,
                backbone,
                tokenizer,
                features.shape[1],
            )
    except ValueError as error:
        raise BadInput(f"This config does not fit its encoder. {error}")
    model.label_set = label_set  # with titles
    if model.lexical is not None:
        with phases("words"):
            with task.workers.scope():
                model.lexical.build()
            model.lexical.refresh(features, label_matrix)

    # === Training ===
    relevant = label_set.encode(task.validation.labels)[:, : len(label_set)]
    with task.workers.chief_first():  # its cache may serve the others
        batches = build_training_inputs(
            config,
            model,
            task.train.texts,
            label_matrix,
            features,
            task.cache,
        ).with_weights(task.train.weights)
        validation_batches = build_inputs(
            model, task.validation.texts, relevant, config, task.cache
        )
    if task.start_from is not None:
        with phase("Taking the weights of the earlier model"):
            with task.workers.scope():
                build(model, validation_batches)
            start_lightdxml(model, task.start_from)
    history, checkpoint, found = train_lightdxml(
        config,
        model,
        batches,
        validation_batches,
        relevant,
        run,
        task.callbacks,
        task.progress,
        phases,
        task.start_from is not None,
    )
    held_out = None
    if task.workers.strategy is not None:
        model = whole_model(model, everywhere=True)
    if config.linear and task.workers.is_chief:
        rows = getattr(task.validation, "features", None)
        if rows is None:
            rows = vectorizer.transform(task.validation.texts)
        model, joined, ranking = join_linear(
            config,
            model,
            (features, label_matrix, task.train.weights),
            (rows, relevant, task.validation.weights),
            task.learn_validation,
            phases,
            task.transformer,
        )
        held_out = HeldOutAnswers(*ranking, label_set.encode(task.validation.labels))
        for key in ("beta", "validation_by_beta"):  # of the model without it
            found.pop(key, None)
        found |= joined
        if run is not None:
            run.save_model(model, "best")
    found["phase_seconds"] = {k: round(v, 1) for k, v in phases.seconds.items()}
    phases.remove()
    return Trained(
        model=model,
        checkpoint=checkpoint,
        history=history,
        vectorizer=vectorizer,
        label_features=label_features(features, label_matrix),
        found=found,
        held_out=held_out,
    )


def plan_lightdxml(config, documents, features, num_labels):
    """The `LightDXMLPlan` of training on documents with the given features."""
    encoder, sizes = None, (features.shape[1], features.nnz / features.shape[0])
    if config.encoder != "words":
        encoder, sizes = EncoderShape.named(config.encoder), (0, 0.0)
    most_labels = max(map(len, documents.labels))
    return LightDXMLPlan(
        config, num_labels, len(documents), *sizes, most_labels, encoder
    )


def warn_of_empty(features):
    """Logs a warning about documents without features."""
    documents = np.count_nonzero(np.diff(features.indptr) == 0)
    if documents:
        logger.warning(
            "%d of %d training documents have no known words; they count as empty.",
            *(documents, features.shape[0]),
        )
