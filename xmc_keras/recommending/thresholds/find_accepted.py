"""Labels whose scores reach a threshold."""

import numpy as np


def find_accepted(label_ids, scores, thresholds):
    """Which scores reach the threshold of their label.

    Args:
        label_ids: int array of any shape, `-1` pads.
        scores: float array of this shape.
        thresholds: see `choose_thresholds`.

    Returns:
        bool array of this shape, False for pads.
    """
    if thresholds.ndim:
        thresholds = thresholds[np.maximum(label_ids, 0)]
    return (label_ids >= 0) & (scores >= thresholds)
