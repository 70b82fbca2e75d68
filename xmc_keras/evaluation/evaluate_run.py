"""Metrics of a run on documents."""

from xmc_keras.data.check_documents import check_labels_known
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.evaluation.evaluate import measure_predictions, predict_label_ids
from xmc_keras.files.bad_input import BadInput


def evaluate_run(run, documents, model=None, score=None):
    """Evaluates a run, with the propensities of its training part.

    Args:
        run: a `RunFolder`.
        documents: `Documents` or `FeatureDocuments`.
        model: optional string. Which of the run's models; the best one by default.
        score: optional string. `"product"` or `"label"`, to rank a LightXML's labels
            by another score than that of its config.

    Returns:
        Dictionary of metrics, see `evaluate`.

    Raises:
        BadInput: the run has no second score, see `check_score`; or it knows none of
            the documents' labels.
    """
    check_score(run, score)
    config, label_set = run.config(), run.label_set()
    check_labels_known(documents, label_set)
    filtered = encode_filtered_labels(documents, label_set)
    loaded = run.load_model(model, label_set)
    if score is not None:
        loaded.score = score
    top, seconds = predict_label_ids(loaded, documents, config, run.cache_path)
    metrics = measure_predictions(
        top,
        seconds,
        documents,
        label_set,
        filtered,
        config=config,
        counts=run.label_counts(),
    )
    return {**metrics, "skipped_lines": documents.skipped}


def check_score(run, score):
    """Raises `BadInput` if a `score` is given for a run that has but one.

    Only a LightXML with a ranker has two: the product, and the label's own.
    """
    if score is None:
        return
    config = run.config()
    if config.system != "lightxml":
        raise BadInput(
            "Expected a run of system: lightxml, to choose its score. Received: "
            f"{config.system}.",
            run.path,
            remedy="Leave `score` out.",
        )
    if config.max_leaf == 1:
        raise BadInput(
            "Expected a run with a ranker, to choose its score. Received: max_leaf: 1, "
            "where a label is a cluster and has one score.",
            run.path,
            remedy="Leave `score` out.",
        )
