"""Places of labels in clusters, when labels come and go."""

import numpy as np

SLACK = 1.25  # size of a cluster that new labels join, relative to equal clusters


def leave_clusters(clusters, places):
    """Clusters of the labels that are kept, which move to the front of their cluster.

    Args:
        clusters: int array (num_clusters, cluster_size), `-1` pads.
        places: int array (labels,). Ids of the labels to keep; the new ids are their
            indices.

    Returns:
        int32 array (num_clusters, cluster_size).

    Example:

    >>> leave_clusters(np.array([[0, 2], [1, 3]]), np.array([0, 1, 3])).tolist()
    [[0, -1], [1, 2]]
    """
    new_ids = np.full(clusters.max() + 2, -1, np.int32)  # the last is that of -1
    new_ids[places] = np.arange(len(places))
    found = new_ids[clusters]
    order = np.argsort(found < 0, axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def join_clusters(clusters, fit):
    """Clusters that new labels have joined, each the best that has room.

    The labels that fit best choose first. There is room up to the size that clusters
    have, or up to `SLACK` times the size that they would have if all were equal.

    Args:
        clusters: int array (num_clusters, cluster_size), `-1` pads.
        fit: float array (new labels, num_clusters). Higher is better.

    Returns:
        int32 array (num_clusters, width). The new labels have the last ids.

    Example:

    >>> join_clusters(np.array([[0, 2], [1, -1]]), [[0.9, 0.1], [0.3, 0.8]]).tolist()
    [[0, 2, 3], [1, 4, -1]]
    """
    fit = np.asarray(fit)
    count, size = clusters.shape
    sizes = (clusters >= 0).sum(axis=1)
    num_labels = int(sizes.sum())
    most = max(size, int(np.ceil(SLACK * (num_labels + len(fit)) / count)))
    joined = [row[row >= 0].tolist() for row in clusters]
    for place in np.argsort(-fit.max(axis=1), kind="stable"):
        room = np.where(sizes < most, fit[place], -np.inf)
        cluster = int(np.argmax(room))
        joined[cluster].append(num_labels + int(place))
        sizes[cluster] += 1
    found = np.full((count, max(size, int(sizes.max()))), -1, np.int32)
    for row, labels in zip(found, joined):
        row[: len(labels)] = labels
    return found
