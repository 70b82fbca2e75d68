"""Metrics of several runs as one model."""

import logging
import statistics
import time

from xmc_keras.data.check_documents import check_labels_known
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.evaluation.ensemble.find_untrained import hold_out, scores_may_stay
from xmc_keras.evaluation.evaluate import measure_predictions
from xmc_keras.runs.finished_runs import name_runs

logger = logging.getLogger(__name__)


def evaluate_ensemble(
    runs, documents, train=None, model=None, weigh=True, threshold=None
):
    """Evaluates finished runs as one model, which ranks labels by their mean score.

    For each document every run offers its best labels, a label that several offer
    counts once, and every run scores all of them.

    Args:
        runs: list of `RunFolder`, at least two, trained on the same data; see
            `open_finished_runs`.
        documents: `Documents` or `FeatureDocuments` to evaluate on.
        train: optional documents of the training part. By those that no run has trained
            on, the scores of the ensemble are calibrated, see `calibrate_ensemble`, and
            its runs are weighed.
        model: optional string. Which of the runs' models; the best ones by default.
        weigh: bool. Whether the runs get the weights that rank these documents best.
            Defaults to `True`. Without, and without `train`, all weigh the same.
        threshold: optional float or string, see `choose_thresholds`. Others than a
            score need a calibration.

    Returns:
        Dictionary of metrics, see `evaluate`; `weights`, a list of floats;
        `weighing_documents`; `calibrated_on`, the number of documents, or 0 if scores
        stay as they are; with these `ECE@5 before calibration`; with a threshold
        `selection`, see `measure_selection`; `members`, a
        dictionary from the runs' names to metrics; and `mean member`, their mean.

    Raises:
        BadInput: the runs know none of the documents' labels, or there are too few
            documents to choose weights by, or a linear model has learnt from them, and
            no answers of before are kept. If weights are not asked for, the log says
            so, and scores stay as they are.
    """
    config, label_set = runs[0].config(), runs[0].label_set()
    check_labels_known(documents, label_set)
    held_out = None
    if train is not None:
        with scores_may_stay(needed=weigh):
            held_out = hold_out(runs, train)

    # TensorFlow takes seconds to import: other errors are reported before.
    from xmc_keras.evaluation.ensemble.calibrate_ensemble import (
        calibrate_members,
        can_calibrate,
        rank_members,
        score_held_out,
    )
    from xmc_keras.evaluation.ensemble.member_scores import score_members
    from xmc_keras.evaluation.ensemble.member_weights import choose_member_weights
    from xmc_keras.recommending.rank_together import unite_labels
    from xmc_keras.recommending.thresholds.choose_thresholds import choose_thresholds

    models = [run.load_model(model, label_set) for run in runs]
    weights, calibration, weighed_by = [1 / len(runs)] * len(runs), None, 0
    calibrate = held_out is not None and can_calibrate(models)
    if held_out is not None and (calibrate or weigh):
        with scores_may_stay(needed=weigh):
            members = score_held_out(runs, models, *held_out)
            if weigh:
                labels = unite_labels([member.label_ids for member in members]).numpy()
                scores = [member.scores_of(labels) for member in members]
                relevant = label_set.encode(held_out[0].labels)
                weights = choose_member_weights(labels, scores, relevant)
                weighed_by = len(held_out[0])
            if calibrate:
                calibration = calibrate_members(models, members, weights, held_out[0])

    thresholds = None
    if threshold is not None:
        thresholds = choose_thresholds(calibration, threshold)
    begun = time.monotonic()
    members, seconds = score_members(models, documents.texts, runs)
    top, own = rank_members(members, weights)
    scores = own
    if calibration is not None:
        scores = calibration.apply(top, own, own).numpy()
    taken = time.monotonic() - begun
    filtered = encode_filtered_labels(documents, label_set)

    def measure(top, scores, seconds, thresholds=None):
        return measure_predictions(
            top,
            seconds,
            documents,
            label_set,
            filtered,
            config=config,
            counts=runs[0].label_counts(),
            scores=scores,
            thresholds=thresholds,
        )

    metrics = measure(top, scores, taken)
    found = {
        name: measure(member.label_ids, member.scores, took)
        for name, member, took in zip(name_runs(runs), members, seconds)
    }
    mean = {key: statistics.mean(row[key] for row in found.values()) for key in metrics}
    metrics.update(
        skipped_lines=documents.skipped,
        propensity_a=config.propensity_a,
        propensity_b=config.propensity_b,
        runs=[str(run.path) for run in runs],
        weights=weights,
        weighing_documents=weighed_by,
        calibrated_on=0 if calibration is None else len(held_out[0]),
        members=found,
    )
    if calibration is not None:
        metrics["ECE@5 before calibration"] = measure(top, own, taken)["ECE@5"]
    if thresholds is not None:
        selection = measure(top, scores, taken, thresholds)["selection"]
        metrics["selection"] = {**selection, "target": str(threshold)}
    metrics["mean member"] = mean
    return metrics
