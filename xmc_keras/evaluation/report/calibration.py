"""Calibration before and after, and of frequent and rare labels."""

import dataclasses

import numpy as np

from xmc_keras.labels.label_bands import find_bands
from xmc_keras.metrics.calibration_curve import calibration_curve

BEST = 5  # labels of a document
# Names of groups, and the bands of labels in each.
GROUPS = {
    "all": range(5),
    "head: 100 documents and more": (4,),
    "torso: 5 to 99": (2, 3),
    "tail: fewer than 5": (0, 1),
}


@dataclasses.dataclass
class ReportedCalibration:
    """Calibration of the best labels of documents.

    Args:
        curve: see `calibration_curve`.
        earlier: the same by the scores before calibration; None without.
        groups: list of `(name, share, error before, error after)` of groups of labels
            by frequency: the share of the predictions, and expected calibration
            errors, all in percent; the error before is None without calibration.
    """

    curve: tuple
    earlier: tuple | None
    groups: list


def report_calibration(predictions, relevant, counts):
    """Measures the calibration of predictions.

    Args:
        predictions: `RunPredictions`.
        relevant: csr matrix (documents, width).
        counts: int array (labels,). Training documents of each label.

    Returns:
        `ReportedCalibration`.
    """
    top = predictions.label_ids[:, :BEST]
    kinds = [predictions.own_scores, predictions.scores]
    # Without calibration both are the same.
    calibrated = not np.array_equal(*kinds)
    bands, groups = find_bands(counts)[top], []
    for name, members in GROUPS.items():
        own = np.where(np.isin(bands, members), top, -1)
        curves = [calibration_curve(own, scores, relevant, BEST) for scores in kinds]
        share = 100 * curves[0][0].sum() / max(np.count_nonzero(top >= 0), 1)
        before, after = (100 * curve[-1] for curve in curves)
        groups.append((name, share, before if calibrated else None, after))
        if name == "all":
            earlier, curve = curves
    return ReportedCalibration(curve, earlier if calibrated else None, groups)
