"""Training LightXML from documents: label clusters, model, epochs."""

import logging

from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_clustering import cluster_labels, compute_cluster_shape
from xmc_keras.labels.label_features import fit_tfidf, label_features
from xmc_keras.progress import phase
from xmc_keras.text.languages import warn_of_language
from xmc_keras.training.planning.check_memory import check_memory
from xmc_keras.training.task import Trained
from xmc_keras.training.warm_start import known_clusters, start_lightxml

logger = logging.getLogger(__name__)


def fit_lightxml(task):
    """Clusters the labels and trains a `LightXML`.

    Args:
        task: a `Task`. Starts its run, if any, unless it is continued.

    Returns:
        `Trained`.
    """
    config, run, label_set = task.config, task.run, task.label_set
    num_clusters, _ = compute_cluster_shape(len(label_set), config.max_leaf)
    if config.max_leaf > 1 and config.top_k > num_clusters:
        raise BadInput(
            f"Expected top_k to be at most the number of clusters, {num_clusters}. "
            f"Received: top_k={config.top_k}.",
            remedy="Lower top_k or max_leaf, or leave top_k out.",
        )

    # === Label clusters ===
    with phase("Computing label features"):
        vectorizer, features = fit_tfidf(task.train.texts)
        label_matrix = label_set.encode(task.train.labels)
        label_rows = label_features(features, label_matrix)
    clusters = None
    if task.continued:
        clusters = run.clusters()
    elif task.start_from is not None:
        clusters = known_clusters(task.start_from, label_set, config.max_leaf)
    if clusters is None:
        seed = config.seed if config.cluster_seed is None else config.cluster_seed
        with phase(f"Clustering {len(label_set)} labels"):
            clusters = cluster_labels(label_rows, config.max_leaf, seed)
    logger.info("%d clusters of at most %d labels", *clusters.shape)
    if not task.any_memory:
        most_labels = max(map(len, task.everything.labels))
        check_memory(config, len(label_set), most_labels)

    # === Model ===
    # Imported late: TensorFlow takes seconds to import, and other errors come first.
    import keras

    from xmc_keras.data.inputs import build_inputs, build_training_inputs
    from xmc_keras.encoders.pretrained import load_encoder
    from xmc_keras.lightxml.build import build_model
    from xmc_keras.training.train_lightxml import train_lightxml

    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    logger.info("Loading the encoder %s", config.encoder)
    with phase(f"Loading the encoder {config.encoder}"):
        backbone, tokenizer = load_encoder(config.encoder)
    warn_of_language(config.encoder, task.train.texts, tokenizer)
    try:
        model = build_model(config, backbone, tokenizer, clusters, label_set.names)
    except ValueError as error:
        raise BadInput(f"This config does not fit its encoder. {error}")

    # === Training ===
    batches = build_training_inputs(
        config,
        model,
        task.train.texts,
        label_matrix,
        None,
        task.cache,
    ).with_weights(task.train.weights)
    validation_batches = build_inputs(
        model,
        task.validation.texts,
        label_set.encode(task.validation.labels),
        config,
        task.cache,
    )
    if run is not None and not task.continued:
        run.begin(config, label_set, clusters, task.everything)
    trained_heads = False
    if task.start_from is not None:
        with phase("Taking the weights of the earlier model"):
            model(next(validation_batches.batches())[0])  # builds it
            trained_heads = start_lightxml(model, task.start_from)
    history, checkpoint, found = train_lightxml(
        config,
        model,
        batches,
        validation_batches,
        run,
        task.callbacks,
        task.progress,
        trained_heads,
    )
    return Trained(
        model=model,
        checkpoint=checkpoint,
        history=history,
        vectorizer=vectorizer,
        label_features=label_rows,
        found=found,
    )
