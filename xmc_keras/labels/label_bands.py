"""Bands of labels by frequency."""

import numpy as np

BANDS = (2, 5, 20, 100)  # training documents at which a next band of labels begins


def find_bands(counts):
    """Bands of labels, from 0 (rarest) to `len(BANDS)`, by their training documents.

    Example:

    >>> find_bands([0, 1, 2, 7, 500]).tolist()
    [0, 0, 1, 2, 4]
    """
    return np.digitize(counts, BANDS)
