"""LightDXML's part of a run, from words to a trained model."""

import logging

from xmc_keras.bad_input import BadInput
from xmc_keras.label_features import label_features

logger = logging.getLogger("fit")


def fit_lightdxml(config, run, parts, label_set, continued, args):
    """Turns texts into rows of weighted words, and trains a model in cycles.

    Arguments and result are those of `fit_lightxml`.
    """
    train, validation, test = (parts[name] for name in ("train", "validation", "test"))
    if not continued:
        run.begin(config, label_set, None, parts["everything"])
    import keras
    from cycles import train_cycles
    from document_inputs import build_inputs
    from phase_seconds import PhaseSeconds

    from xmc_keras.build_lightdxml import build_lightdxml
    from xmc_keras.pretrained import load_encoder
    from xmc_keras.word_vectorizer import WordVectorizer

    # === Words ===
    phases = PhaseSeconds(run.path / "phases.json")
    with phases("words"):
        vectorizer = WordVectorizer.fit(
            train.texts,
            max_features=config.max_features,
            max_ngram=config.max_ngram,
        )
        features = vectorizer.transform(train.texts)
    label_matrix = label_set.encode(train.labels)

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
    checkpoint, report = train_cycles(
        config, run, model, batches, validation_batches, relevant, phases
    )
    found = {"phase_seconds": {k: round(v, 1) for k, v in phases.seconds.items()}}
    if report is not None:
        found["beta"] = float(model.beta.numpy())
        found["validation_by_beta"] = report
    phases.remove()
    test_batches = build_inputs(config, run, model, test.texts)
    rows = vectorizer.transform(test.texts), label_features(features, label_matrix)
    return checkpoint, test_batches, rows, found
