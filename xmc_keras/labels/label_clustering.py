"""Balanced hierarchical clustering of labels."""

import itertools
import operator
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse

from xmc_keras.labels.row_chunks import RowChunks

TOP_K = 20  # clusters that a model keeps by default

_STARTS = 2  # random starts for each split; the best result is used
# 2-means ends when a round raises the mean cosine to the centroids by less than this.
_TOLERANCE = 1e-5
_MAX_ROUNDS = 100
# A part with more labels than this is split by all threads together. A smaller part is
# split down to clusters by one thread.
_LARGE = 2048


def cluster_labels(
    label_features, max_leaf: int, seed: int = 0, num_threads: int | None = None
) -> np.ndarray:
    """Clusters labels by their features into clusters of nearly equal size.

    Balanced 2-means splits the labels into halves, and each half again, until no part
    has more than `max_leaf` labels. A split starts with two random labels as centroids.
    Each round sorts the labels by their similarity to the second centroid minus that to
    the first, and takes the normalised sums of the features of the first and the second
    half as new centroids, until the mean cosine of labels and centroids no longer
    rises.

    Sizes: `n` labels are split into `n // 2` and `n - n // 2`. Up to `max_leaf` labels
    are one cluster. Otherwise, every cluster has at least `(max_leaf + 1) // 2` and at
    most `max_leaf` labels. Parts at one depth differ by one label at most, and so do
    the clusters, except if the parts have `max_leaf` and `max_leaf + 1` labels: the
    latter are split once more (201 labels with `max_leaf=100` become clusters of 100,
    50 and 51).

    Differences from the published code, both of which raise the mean cosine: the best
    of 2 starts for each split instead of a single one, and a tolerance of 1e-5 instead
    of 1e-4. Besides, finished parts stay in the tree if others at their depth are split
    once more; the published code loses them.

    Args:
        label_features: sparse matrix (num_labels, num_features), rows of norm 1, such
            as the result of `label_features()`. Zero rows (labels without documents)
            fill up the halves.
        max_leaf: int, at least 1. Maximum number of labels in a cluster. With 1,
            cluster `i` holds label `i`.
        seed: int, at least 0. Seed of the starts. The random numbers of a split depend
            on its place in the tree, so the result does not depend on `num_threads`.
            Defaults to `0`.
        num_threads: optional int, at least 1. Defaults to the number of processors.

    Returns:
        int32 array (num_clusters, cluster_size), where `cluster_size` is the size of
        the largest cluster. A row holds the label ids of a cluster, ascending, then
        `-1` pads. Every label is in one cluster. Clusters are in tree order: the two
        halves of a part are adjacent.

    Example:

    >>> features = scipy.sparse.csr_matrix([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0]])
    >>> clusters = cluster_labels(features, max_leaf=3)
    >>> sorted(clusters.tolist())
    [[0, 2, 4], [1, 3, -1]]

    Reference: You et al., "AttentionXML", NeurIPS 2019, section 3.2 and
    `split_node` in its published `deepxml/cluster.py`.
    """
    features = scipy.sparse.csr_matrix(label_features, dtype=np.float32)
    max_leaf, seed, num_threads = _check(features, max_leaf, seed, num_threads)
    num_labels = features.shape[0]
    if max_leaf == 1:
        return np.arange(num_labels, dtype=np.int32)[:, None]
    # A part is its labels and its place in the tree: 1 is the root, 2p and 2p + 1 are
    # the halves of p. The features of a part are copied for its split and then
    # released: at most half of all features, and later one small part per thread.
    parts, large = [(np.arange(num_labels, dtype=np.int32), 1)], max(_LARGE, max_leaf)
    with ThreadPoolExecutor(num_threads) as pool:
        while any(len(labels) > large for labels, _ in parts):
            level, parts = parts, []
            for part in level:
                split = len(part[0]) > large
                parts += _split(features, *part, seed, pool.map) if split else [part]
        leaves = pool.map(lambda part: _grow(features, *part, max_leaf, seed), parts)
        leaves = list(itertools.chain.from_iterable(leaves))
    clusters = np.full((len(leaves), max(map(len, leaves))), -1, np.int32)
    for row, labels in zip(clusters, leaves):
        row[: len(labels)] = labels
    return clusters


def _grow(features, labels, place, max_leaf, seed):
    """Returns the label ids of each cluster of a part, in tree order."""
    if len(labels) <= max_leaf:
        return [labels]
    left, right = _split(features, labels, place, seed, map)
    leaves = _grow(features, *left, max_leaf, seed)
    return leaves + _grow(features, *right, max_leaf, seed)


def _split(features, labels, place, seed, each):
    """Returns labels and place of both halves of a part, from the best start."""
    part = RowChunks(features, labels, each)
    results = [_run_2_means(part, [seed, place, start]) for start in range(_STARTS)]
    _, is_left = max(results, key=operator.itemgetter(0))
    return (labels[is_left], 2 * place), (labels[~is_left], 2 * place + 1)


def _run_2_means(part, seed):
    """Balanced 2-means. Returns the mean cosine and the left half, bool (labels,)."""
    n = part.num_rows
    rng = np.random.default_rng(seed)
    left, right = map(part.row, rng.choice(n, 2, replace=False))
    # One sparse product per round: labels are ordered by the difference of the two
    # similarities, so one product with the difference of the centroids is enough. The
    # left sum is updated by the labels that change sides, few after two rounds; the
    # right sum is the total minus the left. The norm of a sum equals the sum of the
    # cosines of its rows to its direction.
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
    """float32 (n,): 1 at the `n // 2` smallest values, ties by position, else 0."""
    count = len(values) // 2
    limit = np.partition(values, count - 1)[count - 1]
    below = values < limit
    equal = np.flatnonzero(values == limit)
    below[equal[: count - np.count_nonzero(below)]] = True
    return below.astype(np.float32)


def _direction(total):
    """Returns the norm and the unit vector of a sum of features."""
    # Not np.linalg.norm: the rounding of BLAS depends on its number of threads.
    norm = np.sqrt(np.square(total).sum(dtype=np.float64))
    return norm, total / np.float32(norm) if norm > 0 else total


def _check(features, max_leaf, seed, num_threads):
    if 0 in features.shape:
        raise ValueError(
            "Expected `label_features` with at least one label and one feature. "
            f"Received: shape={features.shape}."
        )
    if not np.isfinite(features.data).all():
        raise ValueError(
            "Expected `label_features` to be finite. "
            f"Received: {np.count_nonzero(~np.isfinite(features.data))} values that "
            "are NaN or infinite."
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


def group_clusters(num_clusters, num_groups):
    """Groups clusters into the parts of their tree at a lower depth.

    `cluster_labels` returns clusters in the order of its tree. Halving them as it
    halved labels leads to the same parts, so that all levels are nested; clusters from
    elsewhere should have similar ones adjacent.

    Args:
        num_clusters: int, the number of rows of the result of `cluster_labels`.
        num_groups: int, a power of 2 of at most `num_clusters`.

    Returns:
        int32 array (num_groups, group_size), cluster ids, ascending, then `-1` pads.

    Example:

    >>> group_clusters(7, 4).tolist()
    [[0, -1], [1, 2], [3, 4], [5, 6]]
    """
    if num_groups.bit_count() != 1 or num_groups > num_clusters:
        raise ValueError(
            f"Expected a power of 2 of at most {num_clusters}, the number of clusters, "
            f"as the number of groups. Received: {num_groups}."
        )
    parts = [(0, num_clusters)]
    while len(parts) < num_groups:
        middles = [first + (end - first) // 2 for first, end in parts]
        parts = [
            half
            for (first, end), middle in zip(parts, middles)
            for half in ((first, middle), (middle, end))
        ]
    groups = np.full((num_groups, -(-num_clusters // num_groups)), -1, np.int32)
    for group, (first, end) in zip(groups, parts):
        group[: end - first] = np.arange(first, end)
    return groups


def choose_top_k(top_k, num_clusters):
    """The number of clusters that a model keeps: by default 20, or all of fewer.

    Args:
        top_k: int, or None for the default. An `AtMost` is lowered to `num_clusters`.
        num_clusters: int.

    Example:

    >>> [choose_top_k(None, number) for number in (3, 8192)]
    [3, 20]
    """
    return top_k if type(top_k) is int else min(int(top_k or TOP_K), num_clusters)


def compute_cluster_shape(num_labels, max_leaf):
    """Shape of the result of `cluster_labels`, from the number of labels alone.

    Args:
        num_labels: int, at least 1.
        max_leaf: int, at least 1. See `cluster_labels`.

    Returns:
        `(num_clusters, cluster_size)`, ints.

    Example:

    >>> compute_cluster_shape(670_091, max_leaf=100)
    (8192, 82)
    """
    depth = 0
    while num_labels >> depth > max_leaf:
        depth += 1
    # All parts at one depth have `size` or `size + 1` labels.
    parts = 2**depth
    size, larger = divmod(num_labels, parts)
    if larger and size == max_leaf:  # the larger ones are split once more
        return parts + larger, size
    return parts, size + (larger > 0)
