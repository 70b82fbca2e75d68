"""Metrics of a model on documents."""

import logging
import time

import numpy as np

from xmc_keras.data.check_documents import check_labels_known
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.metrics.calibration_curve import calibration_curve
from xmc_keras.metrics.filtered_ranking import filter_ranking
from xmc_keras.metrics.inverse_propensity import inverse_propensity
from xmc_keras.metrics.ranking_metrics import f1_at_k, ranking_report, recall_at_k
from xmc_keras.progress import phase
from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers
from xmc_keras.recommending.thresholds.choose_thresholds import choose_thresholds
from xmc_keras.recommending.thresholds.measure_selection import measure_selection

logger = logging.getLogger(__name__)


def evaluate(model, documents, train=None, config=None, cache=None, threshold=None):
    """Computes P@k, nDCG@k, PSP@k, PSnDCG@k, recall@k, F1@5 and ECE@5, in percent.

    Labels of the documents that the model does not know count as relevant and missed;
    the log says how many they are.
    Labels that a filter leaves out for a document are removed from its ranking.

    Args:
        model: a `LightXML` or `LightDXML` with label names.
        documents: `Documents` or `FeatureDocuments`.
        train: optional documents of the training part, whose label counts give the
            propensities. Without them PSP@k and PSnDCG@k are left out.
        config: optional `Config` with batch size, padding and the constants of the
            propensities.
        cache: optional folder of token ids, see `TokenCache`.
        threshold: optional float or string, see `choose_thresholds`.

    Returns:
        Dictionary: `P@1`, `P@3`, ..., `PSnDCG@5`; `recall@10` and `recall@100`, as far
        as the model predicts that many labels; `F1@5`; `ECE@5`, the expected
        calibration error of the five best labels; `documents`, `labels`,
        `filtered_pairs`, `predict_seconds`, `predict_ms_a_document`; with a threshold
        `selection`, see `measure_selection`.

    Raises:
        ValueError: the model has no label names.
        BadInput: it knows none of the labels, or the threshold cannot be chosen.
    """
    if getattr(model, "label_set", None) is None:
        raise ValueError(
            "Expected a model with `label_names` to evaluate. Received: one without."
        )
    check_labels_known(documents, model.label_set)
    return evaluate_checked(
        model, documents, cache, threshold, train=train, config=config
    )


def evaluate_checked(
    model, documents, cache=None, threshold=None, config=None, **propensities
):
    """The result of `evaluate`, for documents that `check_labels_known` has checked.

    `propensities` are `train` or `counts`, see `measure_ranking`.
    """
    thresholds = None if threshold is None else choose_thresholds(model, threshold)
    top, scores, seconds = rank_documents(model, documents, config, cache)
    metrics = measure_predictions(
        top,
        seconds,
        documents,
        model.label_set,
        encode_filtered_labels(documents, model.label_set),
        scores=scores,
        thresholds=thresholds,
        config=config,
        **propensities,
    )
    if threshold is not None:
        metrics["selection"]["target"] = str(threshold)
    return metrics


def measure_predictions(top, seconds, documents, label_set, filtered, **options):
    """The result of `evaluate` for a ranking that took some seconds.

    For `options` and the other arguments see `measure_ranking`.
    """
    metrics = measure_ranking(top, documents, label_set, filtered=filtered, **options)
    return {
        **metrics,
        "filtered_pairs": 0 if filtered is None else filtered.nnz,
        "documents": len(documents),
        "labels": len(label_set),
        "predict_seconds": round(seconds, 1),
        "predict_ms_a_document": round(1000 * seconds / len(documents), 2),
    }


def rank_documents(model, documents, config=None, cache=None):
    """Ranks the labels of documents.

    Returns:
        `(top, scores, seconds)`: int32 array (documents, n), best first, `-1` pads;
        float32 array of this shape; seconds that this took.
    """
    from xmc_keras.data.inputs import build_inputs

    logger.info("Evaluating on %d documents", len(documents))
    batches = build_inputs(model, documents.texts, config=config, cache=cache)
    begun = time.monotonic()
    with phase(f"Evaluating on {len(documents)} documents"):
        found = model.predict(batches.dataset(), verbose=0)
    seconds = time.monotonic() - begun
    names = "predicted_ids", "scores"
    return *(batches.restore(found[name]) for name in names), seconds


def measure_ranking(
    top,
    documents,
    label_set,
    train=None,
    config=None,
    filtered=None,
    counts=None,
    scores=None,
    thresholds=None,
):
    """The metrics of a ranking.

    Args:
        top: int array (documents, n) of label ids, best first, `-1` pads.
        documents: the documents ranked for.
        label_set: a `LabelSet`.
        train, config: see `evaluate`.
        filtered: optional csr matrix (documents, labels), see
            `encode_filtered_labels`.
        counts: `(counts, num_documents)` of the training part, instead of `train`.
        scores: optional float array (documents, n), for `ECE@5`.
        thresholds: optional, see `choose_thresholds`, for `selection`; needs `scores`.

    Returns:
        Dictionary of metrics in percent.
    """
    relevant = label_set.encode(documents.labels)
    if train is not None:
        labels = label_set.encode(train.labels)[:, : len(label_set)]
        counts = np.asarray(labels.sum(axis=0))[0], len(train)
    weight = np.ones(relevant.shape[1])
    if counts is not None:
        weight = compute_propensities(*counts, relevant.shape[1], config)
    kept = filter_ranking(top, filtered)
    if scores is not None:
        _, scores = filter_ranking(top, filtered, scores)
    if filtered is not None:
        dropped = np.count_nonzero(top >= 0) - np.count_nonzero(kept >= 0)
        logger.info("The filter removes %d predictions", dropped)
    metrics = ranking_report(kept, relevant, weight)
    if counts is None:
        metrics = {k: x for k, x in metrics.items() if not k.startswith("PS")}
    metrics |= measure_recall(kept, relevant)
    metrics["F1@5"] = 100 * f1_at_k(kept, relevant, 5)
    if scores is not None:
        metrics["ECE@5"] = 100 * calibration_curve(kept, scores, relevant)[-1]
    if thresholds is not None:
        answers = HeldOutAnswers(kept, scores, relevant)
        metrics["selection"] = measure_selection(answers, thresholds)
    return metrics


def measure_recall(top, relevant):
    """recall@10 and recall@100 in percent, as far as that many labels are ranked."""
    ks = [k for k in (10, 100) if k <= top.shape[1]]
    return {f"recall@{k}": 100 * recall_at_k(top, relevant, k) for k in ks}


def compute_propensities(counts, num_documents, width, config=None):
    """Inverse propensities of `width` labels; those after the counted ones count 0."""
    counts = np.pad(counts, (0, width - len(counts)))
    if config is None:
        return inverse_propensity(counts, num_documents)
    a, b = config.propensity_a, config.propensity_b
    return inverse_propensity(counts, num_documents, a, b)
