"""Inverse propensities, the label weights of PSP@k and PSnDCG@k."""

import math

import numpy as np


def inverse_propensity(
    counts, num_documents: int, a: float = 0.55, b: float = 1.5
) -> np.ndarray:
    """Computes the inverse propensity of each label from its training frequency.

    A rare label that is relevant to a document is often missing from its ground truth.
    The propensity is the modelled probability that it is present; its inverse weights
    the label in PSP@k and PSnDCG@k, so that tail labels count more than head labels:

        1 + C (n + B)^-A    with    C = (ln N - 1) (B + 1)^A

    for a label with `n` of `N` training documents.

    Args:
        counts: array (num_labels,), not negative. Training documents of each label;
            0 for a label not seen in training.
        num_documents: int, at least 3 (`C` would be negative). Number of training
            documents.
        a: float above 0. Constant `A`. Usually 0.6 for Amazon-670K and 0.5 for
            Wiki-500K. Defaults to `0.55`.
        b: float above 0. Constant `B`. Usually 2.6 for Amazon-670K and 0.4 for
            Wiki-500K. Defaults to `1.5`.

    Returns:
        float64 array (num_labels,), above 1 and decreasing with the count.

    Example:

    >>> inverse_propensity([0, 10, 10_000], num_documents=45_000).round(2).tolist()
    [13.87, 5.2, 1.1]

    Reference: Jain, Prabhu and Varma, "Extreme Multi-label Loss Functions for
    Recommendation, Tagging, Ranking & Other Missing Label Applications", KDD 2016,
    section 3; the constants per data set are from the Extreme Classification
    Repository.
    """
    counts = np.asarray(counts)
    if counts.ndim != 1 or counts.dtype.kind not in "iuf":
        raise ValueError(
            "Expected `counts` as a one-dimensional array of numbers, (num_labels,). "
            f"Received: shape={counts.shape}, dtype={counts.dtype}. Flatten the sum of "
            "a sparse matrix with np.asarray(matrix.sum(axis=0)).ravel()."
        )
    if not num_documents >= 3:
        raise ValueError(
            "Expected `num_documents` of at least 3. "
            f"Received: num_documents={num_documents}."
        )
    if not np.all((counts >= 0) & (counts <= num_documents)):
        raise ValueError(
            "Expected `counts` between 0 and `num_documents`. Received: "
            f"min={counts.min()}, max={counts.max()}, num_documents={num_documents}."
        )
    if not (0 < a < math.inf and 0 < b < math.inf):
        raise ValueError(
            f"Expected `a` and `b` finite and above 0. Received: a={a}, b={b}."
        )
    c = (math.log(num_documents) - 1) * (b + 1) ** a
    return 1 + c * (counts.astype(np.float64) + b) ** -a
