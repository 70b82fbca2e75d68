"""Contributions of frequent and rare labels to P@k and PSP@k."""

import numpy as np

from xmc_keras.metrics.find_hits import find_hits
from xmc_keras.metrics.ranking_metrics import psp_at_k

# Minimum number of training documents of each group of labels.
EDGES = (1, 3, 10, 30, 100, 1000)


def group_by_frequency(counts):
    """Groups labels by their number of training documents, without empty groups.

    Args:
        counts: int array (labels,). Training documents of each label.

    Returns:
        `(names, groups)`: a list of strings, and an int array (labels,) of indices into
        it; -1 for labels without training documents.

    Example:

    >>> names, groups = group_by_frequency(np.array([2, 0, 5000, 9]))
    >>> names, groups.tolist()
    (['1-2', '3-9', '1,000 and more'], [0, -1, 2, 1])
    """
    groups = np.searchsorted(EDGES, counts, side="right") - 1
    used = np.unique(groups[groups >= 0])
    names = [
        f"{EDGES[i]:,} and more"
        if i + 1 == len(EDGES)
        else f"{EDGES[i]:,}-{EDGES[i + 1] - 1:,}"
        for i in used.tolist()
    ]
    new = np.full(len(EDGES) + 1, -1)  # the last one is for -1
    new[used] = np.arange(len(used))
    return names, new[groups]


def split_by_group(top, relevant, weight, groups, num_groups, ks=(1, 3, 5)):
    """Splits P@k and PSP@k into the contributions of each group of labels.

    Args:
        top: int array (documents, n). Predictions, best first, without repetitions,
            `-1` pads.
        relevant: csr matrix (documents, width), 1 where a label applies.
        weight: float array (width,). Inverse propensities.
        groups: int array (labels,), from `group_by_frequency`.
        num_groups: int.
        ks: ints.

    Returns:
        Dictionary from `P@k` and `PSP@k` to float arrays (num_groups,) in percent,
        which sum to P@k and PSP@k.
    """
    found = {}
    for k in ks:
        best = top[:, :k]
        labels = best[find_hits(best, relevant)]
        hits = np.bincount(groups[labels], minlength=num_groups)
        gains = np.bincount(groups[labels], weight[labels], num_groups)
        found[f"P@{k}"] = 100 * hits / (k * len(top))
        psp = 100 * psp_at_k(top, relevant, weight, k)
        found[f"PSP@{k}"] = psp * gains / max(gains.sum(), 1e-12)
    return found
