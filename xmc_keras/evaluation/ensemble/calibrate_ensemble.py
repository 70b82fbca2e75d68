"""Calibration of an ensemble."""

import logging

import numpy as np

from xmc_keras.data.splits import read_part
from xmc_keras.evaluation.ensemble.average_scores import average_scores
from xmc_keras.evaluation.ensemble.find_untrained import (
    STAY,
    common_groups,
    hold_out,
    scores_may_stay,
)
from xmc_keras.evaluation.ensemble.member_scores import score_members
from xmc_keras.evaluation.ensemble.stored_scores import StoredScores
from xmc_keras.files.bad_input import BadInput
from xmc_keras.recommending.calibration.calibration import FEWEST_RIGHT, Calibration
from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers
from xmc_keras.recommending.rank_together import rank_together

logger = logging.getLogger(__name__)


def calibrate_ensemble(models, documents, weights=None):
    """Fits the `Calibration` of an ensemble, for `export`.

    The models average calibrated scores, so that a score of each counts the same. But a
    mean of probabilities is too cautious: it comes near 0 or 1 only where all models
    agree. A calibration of the mean corrects that, and labels keep their order.

    Args:
        models: list of calibrated models of the same labels.
        documents: `Documents` or `FeatureDocuments` that no model has learnt from, such
            as the validation documents.
        weights: optional list of floats. Weight of each model. By default all weigh the
            same.

    Returns:
        `Calibration`; or None, and the log says why, if a model has none or knows other
        labels, or if fewer than 100 labels are right.

    Reference: Ranjan, Gneiting, Combining probability forecasts (Journal of the Royal
        Statistical Society B 72, 2010), whose beta-transformed linear pool this is.
    """
    if not can_calibrate(models):
        return None
    members, _ = score_members(models, documents.texts)
    return calibrate_members(models, members, weights, documents)


def calibrate_runs(runs, models, weights=None, data=None):
    """`calibrate_ensemble` for runs, by documents that none of them was trained on.

    Args:
        runs: list of `RunFolder`.
        models: list of their models.
        weights: see `calibrate_ensemble`.
        data: optional string or path. The folder of the runs' data, if it was moved.
    """
    if not can_calibrate(models):
        return None
    with scores_may_stay():
        groups = common_groups([run.config() for run in runs])
        folder = runs[0].data_folder(data)
        train = read_part(folder, "train", skip_bad_lines=True, groups=groups)
        documents, rows = hold_out(runs, train)
        members = score_held_out(runs, models, documents, rows)
        return calibrate_members(models, members, weights, documents)


def score_held_out(runs, models, documents, rows):
    """Scores of documents that no run was trained on.

    Args:
        runs, models: see `calibrate_runs`.
        documents, rows: see `hold_out`.

    Returns:
        List of a `MemberScores` or `StoredScores` of each run.

    Raises:
        BadInput: a run that has learnt from them has no answers of before.
    """
    logger.info("Scoring %d documents that no run trained on", len(documents))
    members = []
    for run, model, own in zip(runs, models, rows):
        if own is None:
            (member,), _ = score_members([model], documents.texts, [run])
        else:
            member = StoredScores(_find_answers(run, model, documents, own))
        members.append(member)
    return members


def _find_answers(run, model, documents, rows):
    """The answers to documents that a calibration has at some rows."""
    answers = model.calibration and model.calibration.answers
    relevant = model.label_set.encode(documents.labels)[:, : len(model.label_set)]
    if answers is not None and len(answers.label_ids) > rows[-1]:
        answers = answers.subset(rows)
        own = answers.relevant[:, : relevant.shape[1]]
        if (own != relevant).nnz == 0:
            return answers
    raise BadInput(
        "Expected a run with the answers to its validation documents from before its "
        "linear model learnt from these. Received: one without.",
        run.path,
        remedy="Train it with linear: false, or weigh the runs equally.",
    )


def can_calibrate(models):
    """Whether models can be calibrated together; otherwise the log says why not."""
    names, reason = models[0].label_set.names, None
    if any(model.calibration is None for model in models):
        reason = "one of its models has no calibration."
    elif any(model.label_set.names != names for model in models):
        reason = "its models know other labels."
    if reason:
        logger.warning(STAY, reason)
    return reason is None


def calibrate_members(models, members, weights, documents):
    """`calibrate_ensemble`, for the `MemberScores` of the documents."""
    relevant = models[0].label_set.encode(documents.labels)
    answers = HeldOutAnswers(*rank_members(members, weights), relevant)
    bands = models[0].calibration.label_bands
    calibration = Calibration.fit(answers, bands)
    if calibration is None:
        right = np.count_nonzero(answers.right)
        few = f"a calibration needs {FEWEST_RIGHT} right labels, and there are {right}."
        logger.warning(STAY, few)
    else:
        logger.info("Calibrated the ensemble on %d documents", len(documents))
    return calibration


def rank_members(members, weights=None):
    """Ranks labels by the mean of the scores of `MemberScores`.

    Returns:
        `(label_ids, scores)`: int32 and float32 arrays (documents, n), best first, `-1`
        pads.
    """
    label_ids, scores = rank_together(
        [member.label_ids for member in members],
        lambda labels: average_scores([m.scores_of(labels) for m in members], weights),
        min(member.label_ids.shape[1] for member in members),
    )
    return label_ids.numpy(), scores.numpy()
