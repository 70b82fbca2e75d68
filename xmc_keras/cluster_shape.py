"""The shape that label clusters will have."""


def cluster_shape(num_labels, max_leaf):
    """`(num_clusters, cluster_size)` that `cluster_labels` comes to, without it.

    Args:
        num_labels: int, at least 1.
        max_leaf: int, at least 1. As of `cluster_labels`.

    Example:

    >>> cluster_shape(670_091, max_leaf=100)
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
