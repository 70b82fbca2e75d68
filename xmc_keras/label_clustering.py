"""Label clusters: like labels together, in clusters of nearly equal size."""

import itertools
import operator
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import scipy.sparse

# Each node is halved from this many random starts, and the best halves are kept.
_STARTS = 2
# A start is done when a round raises the mean cosine to the centroids by less.
_TOLERANCE = 1e-5
_MAX_ROUNDS = 100


class _Node(NamedTuple):
    labels: np.ndarray  # (n,) label ids, ascending
    features: scipy.sparse.csr_matrix | None  # (n, num_features); None for a cluster
    place: int  # 1 is the root, 2p and 2p + 1 are the children of p


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
        num_threads: optional integer, at least 1. Nodes worked on at once. Defaults
            to the number of processors.

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
    nodes = [_Node(np.arange(num_labels, dtype=np.int32), features, 1)]
    with ThreadPoolExecutor(num_threads) as pool:
        while large := [node for node in nodes if len(node.labels) > max_leaf]:
            # Starts are jobs of their own, so that the few nodes at the top, as
            # much work as the many below, keep several processors busy too.
            jobs = itertools.product(large, range(_STARTS))
            tries = list(pool.map(lambda job: _try(*job, seed), jobs))
            tries = [tries[i : i + _STARTS] for i in range(0, len(tries), _STARTS)]
            halves = iter(pool.map(lambda *pair: _halve(*pair, max_leaf), large, tries))
            nodes = [
                part
                for node in nodes
                for part in (next(halves) if len(node.labels) > max_leaf else (node,))
            ]
    clusters = np.full(
        (len(nodes), max(len(node.labels) for node in nodes)), -1, np.int32
    )
    for row, node in zip(clusters, nodes):
        row[: len(node.labels)] = node.labels
    return clusters


def _try(node, start, seed):
    """Balanced 2-means: returns the mean cosine and which labels go left, (n,)."""
    features = node.features
    n = features.shape[0]
    rng = np.random.default_rng([seed, node.place, start])
    left, right = features[rng.choice(n, 2, replace=False)].toarray()
    # One sparse product a round finds the halves and another their sums, a third
    # of the work of two similarities a label: only their difference orders labels,
    # the right half's sum is what the left one's leaves of the whole, and with a
    # sum's norm one has the sum of its members' cosines to its direction.
    columns = features.T
    whole = columns @ np.ones(n, np.float32)  # (num_features,)
    mean_cosine = -np.inf
    for _ in range(_MAX_ROUNDS):
        # Stable: labels that are as near to both, zero rows say, go by id.
        order = np.argsort(features @ (right - left), kind="stable")
        is_left = np.zeros(n, np.float32)
        is_left[order[: n // 2]] = 1
        left_sum = columns @ is_left
        left_norm, left = _direction(left_sum)
        right_norm, right = _direction(whole - left_sum)
        before, mean_cosine = mean_cosine, (left_norm + right_norm) / n
        if not mean_cosine - before >= _TOLERANCE:
            break
    return mean_cosine, is_left.astype(bool)


def _direction(total):
    """Returns the norm and the direction of a sum of features."""
    # Not np.linalg.norm: BLAS rounds differently with the number of its threads.
    norm = np.sqrt(np.square(total).sum(dtype=np.float64))
    return norm, total / np.float32(norm) if norm > 0 else total


def _halve(node, tries, max_leaf):
    """Returns the two children by the best of the tries."""
    _, is_left = max(tries, key=operator.itemgetter(0))
    children = []
    for side, rows in enumerate([np.flatnonzero(is_left), np.flatnonzero(~is_left)]):
        features = node.features[rows] if len(rows) > max_leaf else None
        children.append(_Node(node.labels[rows], features, 2 * node.place + side))
    return children


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
