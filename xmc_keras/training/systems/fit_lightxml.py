"""Training LightXML from documents: label clusters, model, epochs."""

import logging

from xmc_keras.config.resolve_config import check_levels
from xmc_keras.labels.label_clustering import cluster_labels
from xmc_keras.labels.label_features import fit_tfidf, label_features
from xmc_keras.progress import phase
from xmc_keras.training.loops.warm_start import known_clusters
from xmc_keras.training.planning.check_memory import check_memory

logger = logging.getLogger(__name__)


def fit_lightxml(task):
    """Clusters the labels and trains a `LightXML`.

    Args:
        task: a `Task`. Starts its run, if any, unless it is continued.

    Returns:
        `Trained`.
    """
    config, label_set = task.config, task.label_set
    check_levels(config, len(label_set))

    with phase("Computing label features"):
        vectorizer, features = fit_tfidf(task.train.texts)
        label_matrix = label_set.encode(task.train.labels)
        label_rows = label_features(features, label_matrix)
    clusters = find_clusters(task, label_rows) if task.workers.is_chief else None
    clusters = task.workers.broadcast(clusters)
    logger.info("%d clusters of at most %d labels", *clusters.shape)
    if not task.any_memory:
        most_labels = max(map(len, task.everything.labels))
        check_memory(config, len(label_set), most_labels)

    # Imported late: TensorFlow takes seconds to import, and other errors come first.
    from xmc_keras.training.systems.fit_transformer import fit_transformer

    return fit_transformer(task, vectorizer, label_rows, label_matrix, clusters)


def find_clusters(task, label_rows):
    """The label clusters of a run that goes on, of an earlier model, or new ones.

    Returns:
        int array (num_clusters, cluster_size).
    """
    config, label_set, clusters = task.config, task.label_set, None
    if task.continued:
        return task.run.clusters()
    if task.start_from is not None:
        clusters = known_clusters(task.start_from, label_set, config.max_leaf)
    if clusters is None:
        seed = config.seed if config.cluster_seed is None else config.cluster_seed
        with phase(f"Clustering {len(label_set)} labels"):
            clusters = cluster_labels(label_rows, config.max_leaf, seed)
    return clusters
