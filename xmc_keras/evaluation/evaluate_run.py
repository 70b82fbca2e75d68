"""Metrics of a run on documents."""

from xmc_keras.data.check_documents import check_labels_known
from xmc_keras.evaluation.evaluate import evaluate_checked
from xmc_keras.files.bad_input import BadInput


def evaluate_run(run, documents, model=None, score=None, threshold=None):
    """Evaluates a run, with the propensities of its training part.

    Args:
        run: a `RunFolder`.
        documents: `Documents` or `FeatureDocuments`.
        model: optional string. Which of the run's models; the best one by default.
        score: optional string. `"product"` or `"label"`, to rank a LightXML's labels
            by another score than that of its config, which is not calibrated.
        threshold: optional float or string, see `choose_thresholds`.

    Returns:
        Dictionary of metrics, see `evaluate`.

    Raises:
        BadInput: the run has no second score, see `check_score`; it knows none of
            the documents' labels.
    """
    check_score(run, score)
    config, label_set = run.config(), run.label_set()
    check_labels_known(documents, label_set)
    loaded = run.load_model(model, label_set)
    if score not in (None, config.score):
        # Of a `Hybrid`, the transformer's.
        getattr(loaded, "transformer", loaded).score = score
        loaded.calibration = None
    metrics = evaluate_checked(
        loaded,
        documents,
        run.cache_path,
        threshold,
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
