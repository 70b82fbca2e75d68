"""Balanced clusters of labels."""

import itertools
import operator
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse

from xmc_keras.labels.row_chunks import RowChunks

# Each part is halved from this many random starts, and the best halves are kept.
_STARTS = 2
# A start is done when a round raises the mean cosine to the centroids by less.
_TOLERANCE = 1e-5
_MAX_ROUNDS = 100
# All threads work on one part of more labels than this; smaller parts are done one by
# each thread, with all that they are halved into.
_LARGE = 2048


def cluster_labels(
    label_features, max_leaf: int, seed: int = 0, num_threads: int | None = None
) -> np.ndarray:
    """Groups labels with like features into clusters of nearly equal size.

    Balanced 2-means halves the labels, then each half, until no part has more than
    `max_leaf` labels: from two labels as centroids, the labels are sorted by how
    much nearer they are to the second centroid than to the first, the first half
    and the second half get new centroids (the normalised sums of their features),
    and so on until the mean cosine stands still.

    Sizes: parts of `n` labels have halves of `n // 2` and `n - n // 2`. So up to
    `max_leaf` labels are one cluster; of more labels, every cluster has at least
    `(max_leaf + 1) // 2` and at most `max_leaf`, and as all parts at one depth
    differ by one label at most, so do all clusters, except where that makes parts
    of `max_leaf` and of `max_leaf + 1` labels: the latter are halved once more (201
    labels at `max_leaf=100` become 100, 50 and 51).

    Departures from the published code, all to the good of the mean cosine: the best
    of 2 starts at each node rather than the only one, and a tolerance of 1e-5
    rather than 1e-4. Parts that are done stay in the tree when others at their
    depth are not; the published code loses them.

    Args:
        label_features: sparse matrix, shape `(num_labels, num_features)`, rows of
            norm 1 as from `label_features()`. Zero rows (labels without documents)
            fill up what the others leave.
        max_leaf: integer, at least 1. The most labels in a cluster. With 1, cluster
            `i` holds label `i`.
        seed: integer, at least 0. Decides the starts, each node's by its place in
            the tree, so that the result does not depend on `num_threads`. Defaults
            to `0`.
        num_threads: optional integer, at least 1. Defaults to the number of
            processors.

    Returns:
        int32, shape `(num_clusters, cluster_size)`, where `cluster_size` is the size
        of the largest cluster. Each row holds the ids of a cluster's labels,
        ascending, then `-1` pads. Every label is in one cluster. Clusters are in
        the order of the tree, so the halves of a part are neighbours.

    Example:

    >>> features = scipy.sparse.csr_matrix([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0]])
    >>> clusters = cluster_labels(features, max_leaf=3)
    >>> sorted(clusters.tolist())
    [[0, 2, 4], [1, 3, -1]]

    Reference: You et al., "AttentionXML", NeurIPS 2019, section 3.2 and
    `split_node` in its published `deepxml/cluster.py`.
    """
    features = scipy.sparse.csr_matrix(label_features, dtype=np.float32)
    max_leaf, seed, num_threads = _checked(features, max_leaf, seed, num_threads)
    num_labels = features.shape[0]
    if max_leaf == 1:
        return np.arange(num_labels, dtype=np.int32)[:, None]
    # A part is its labels and its place in the tree: 1 is the root, 2p and 2p + 1 are
    # the halves of p. The features of a part are copied when it is halved, and not
    # kept: that is half of them all at most, and then a small part a thread.
    parts, large = [(np.arange(num_labels, dtype=np.int32), 1)], max(_LARGE, max_leaf)
    with ThreadPoolExecutor(num_threads) as pool:
        while any(len(labels) > large for labels, _ in parts):
            parts, whole = [], parts
            for part in whole:
                halve = len(part[0]) > large
                parts += _halves(features, *part, seed, pool.map) if halve else [part]
        trees = pool.map(lambda part: _tree(features, *part, max_leaf, seed), parts)
        found = list(itertools.chain.from_iterable(trees))
    clusters = np.full((len(found), max(map(len, found))), -1, np.int32)
    for row, labels in zip(clusters, found):
        row[: len(labels)] = labels
    return clusters


def _tree(features, labels, place, max_leaf, seed):
    """Returns the label ids of the clusters of a part, in the order of the tree."""
    if len(labels) <= max_leaf:
        return [labels]
    left, right = _halves(features, labels, place, seed, map)
    found = _tree(features, *left, max_leaf, seed)
    return found + _tree(features, *right, max_leaf, seed)


def _halves(features, labels, place, seed, each):
    """Returns labels and place of the halves of a part, the best of the starts."""
    part = RowChunks(features, labels, each)
    tries = [_half(part, [seed, place, start]) for start in range(_STARTS)]
    _, is_left = max(tries, key=operator.itemgetter(0))
    return (labels[is_left], 2 * place), (labels[~is_left], 2 * place + 1)


def _half(part, seed):
    """Balanced 2-means: returns the mean cosine and which labels go left, (labels,)."""
    n = part.num_rows
    rng = np.random.default_rng(seed)
    left, right = map(part.row, rng.choice(n, 2, replace=False))
    # One sparse product a round finds the halves: only the difference of the two
    # similarities orders labels. Sums follow the labels that change sides, few after
    # two rounds; the right half's sum is what the left one's leaves of the whole, and
    # with a sum's norm one has the sum of its members' cosines to its direction.
    whole = part.total(np.ones(n, np.float32))  # (num_features,)
    left_sum = np.zeros_like(whole)
    was_left = np.zeros(n, np.float32)
    mean_cosine = -np.inf
    for _ in range(_MAX_ROUNDS):
        is_left = _smallest_half(part.products(right - left))
        left_sum += part.total(is_left - was_left)
        left_norm, left = _direction(left_sum)
        right_norm, right = _direction(whole - left_sum)
        before, mean_cosine = mean_cosine, (left_norm + right_norm) / n
        if not mean_cosine - before >= _TOLERANCE:
            break
        was_left = is_left
    return mean_cosine, is_left.astype(bool)


def _smallest_half(values):
    """Ones at the `n // 2` smallest values, equal ones by their place; else zeros."""
    count = len(values) // 2
    limit = np.partition(values, count - 1)[count - 1]
    below = values < limit
    equal = np.flatnonzero(values == limit)
    below[equal[: count - np.count_nonzero(below)]] = True
    return below.astype(np.float32)


def _direction(total):
    """Returns the norm and the direction of a sum of features."""
    # Not np.linalg.norm: BLAS rounds differently with the number of its threads.
    norm = np.sqrt(np.square(total).sum(dtype=np.float64))
    return norm, total / np.float32(norm) if norm > 0 else total


def _checked(features, max_leaf, seed, num_threads):
    if 0 in features.shape:
        raise ValueError(
            "Expected `label_features` with at least one label and one feature. "
            f"Received: shape={features.shape}."
        )
    if not np.isfinite(features.data).all():
        raise ValueError(
            "Expected `label_features` to be finite. "
            f"Received: {np.count_nonzero(~np.isfinite(features.data))} values of NaN "
            "or infinity."
        )
    if num_threads is None:
        num_threads = os.cpu_count() or 1
    arguments = {"max_leaf": max_leaf, "seed": seed, "num_threads": num_threads}
    for (name, value), least in zip(arguments.items(), (1, 0, 1)):
        try:
            arguments[name] = operator.index(value)
        except TypeError:
            arguments[name] = -1
        if arguments[name] < least:
            raise ValueError(
                f"Expected `{name}` as an integer of at least {least}. "
                f"Received: {name}={value!r}."
            )
    return arguments.values()


def compute_cluster_shape(num_labels, max_leaf):
    """`(num_clusters, cluster_size)` that `cluster_labels` comes to, without it.

    Args:
        num_labels: int, at least 1.
        max_leaf: int, at least 1. As of `cluster_labels`.

    Example:

    >>> compute_cluster_shape(670_091, max_leaf=100)
    (8192, 82)
    """
    depth = 0
    while num_labels >> depth > max_leaf:
        depth += 1
    # All parts at one depth are of `size` or of one more.
    parts = 2**depth
    size, larger = divmod(num_labels, parts)
    if larger and size == max_leaf:  # the larger ones are halved once more
        return parts + larger, size
    return parts, size + (larger > 0)
