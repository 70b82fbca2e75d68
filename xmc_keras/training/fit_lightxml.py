"""LightXML's part of a run, from label clusters to a trained model."""

import logging

from xmc_keras.bad_input import BadInput
from xmc_keras.labels.label_clustering import cluster_labels
from xmc_keras.labels.label_features import fit_tfidf, label_features
from xmc_keras.training.planning.check_memory import check_memory

logger = logging.getLogger("fit")


def fit_lightxml(config, run, parts, label_set, continued, args):
    """Clusters the labels and trains a model.

    Args:
        config: a `Config`.
        run: a `RunFolder`, begun here unless `continued`.
        parts: dictionary of the `Documents` "everything" (the whole training part),
            "train", "validation" and "test".
        label_set: a `LabelSet`.
        continued: bool. Whether the run was begun before.
        args: the command line's.

    Returns:
        `(checkpoint, batches, rows, found)`: the `RunCheckpoint`; a function from
        the best model to batches of the test part; TF-IDF rows `(test, labels)`, for a
        baseline; and further metrics.
    """
    train, validation, test = (parts[name] for name in ("train", "validation", "test"))

    # === Label clusters ===
    vectorizer, features = fit_tfidf(train.texts)
    label_matrix = label_set.encode(train.labels)
    label_rows = label_features(features, label_matrix)
    if continued:
        clusters = run.clusters()
    else:
        seed = config.seed if config.cluster_seed is None else config.cluster_seed
        clusters = cluster_labels(label_rows, config.max_leaf, seed)
    logger.info("%d clusters of at most %d labels", *clusters.shape)
    if config.max_leaf > 1 and config.top_k > len(clusters):
        raise BadInput(
            f"Expected top_k to be at most the number of clusters, {len(clusters)}. "
            f"Received: top_k={config.top_k}. Lower top_k or max_leaf.",
            args.config,
        )
    if not args.any_memory:
        most_labels = max(map(len, parts["everything"].labels))
        check_memory(config, len(label_set), most_labels, args.config)

    # === Model ===
    # TensorFlow takes seconds to come up: what is wrong so far is told before.
    import keras

    from xmc_keras.data.inputs import tokenize_batches
    from xmc_keras.encoders.pretrained import load_encoder
    from xmc_keras.lightxml.build import build_model
    from xmc_keras.training.train_lightxml import train_lightxml as train_model

    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    logger.info("Loading the encoder %s", config.encoder)
    backbone, tokenizer = load_encoder(config.encoder)
    try:
        model = build_model(config, backbone, tokenizer, clusters, label_set.names)
    except ValueError as error:
        raise BadInput(f"This config does not fit its encoder. {error}", args.config)

    # === Training ===
    batches = tokenize_batches(
        config, tokenizer, run, train.texts, label_matrix, shuffle=True
    )
    validation_batches = tokenize_batches(
        config, tokenizer, run, validation.texts, label_set.encode(validation.labels)
    )
    if not continued:
        run.begin(config, label_set, clusters, parts["everything"])
    checkpoint = train_model(config, run, model, batches, validation_batches)
    test_batches = tokenize_batches(config, tokenizer, run, test.texts)
    return checkpoint, test_batches, (vectorizer.transform(test.texts), label_rows), {}
