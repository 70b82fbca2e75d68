"""Training one-vs-all from documents."""

from xmc_keras.labels.label_features import fit_tfidf, label_features
from xmc_keras.progress import phase
from xmc_keras.training.planning.check_memory import check_memory
from xmc_keras.training.planning.one_vs_all_plan import check_block_labels


def fit_one_vs_all(task):
    """Trains an `OneVsAll`.

    Args:
        task: a `Task`. Starts its run, if any, unless it is continued.

    Returns:
        `Trained`.
    """
    config, label_set = task.config, task.label_set
    check_block_labels(config, len(label_set))
    with phase("Computing label features"):  # of the baselines
        vectorizer, features = fit_tfidf(task.train.texts)
        label_matrix = label_set.encode(task.train.labels)
        label_rows = label_features(features, label_matrix)
    if not task.any_memory:
        most_labels = max(map(len, task.everything.labels))
        check_memory(config, len(label_set), most_labels)
    # Imported late: TensorFlow takes seconds to import, and other errors come first.
    from xmc_keras.training.systems.fit_transformer import fit_transformer

    return fit_transformer(task, vectorizer, label_rows, label_matrix)
