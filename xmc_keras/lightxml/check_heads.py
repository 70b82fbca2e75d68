"""Whether the heads of a LightXML fit together."""


def check_heads(generator, levels, ranker, level_dims=None):
    """Raises `ValueError` if the heads of a `LightXML` do not fit together.

    Args:
        generator, levels, ranker, level_dims: see `LightXML`.

    Example:

    >>> from xmc_keras.lightxml.cluster_generator import ClusterGenerator
    >>> generator = ClusterGenerator([[0, 1], [2, -1]], top_k=1)
    >>> check_heads(generator, [], None, level_dims=[8, 8])
    Traceback (most recent call last):
    ValueError: Expected `level_dims` with a width for the generator, ... 1. Received...
    """
    if levels and ranker is None:
        raise ValueError("Expected a `ranker` with `levels`. Received: ranker=None")
    above = generator
    for level in levels:
        if above.num_labels != level.num_clusters:
            raise ValueError(
                "Expected `levels` with as many clusters as the level above has "
                f"labels, {above.num_labels}. Received: {level.num_clusters}"
            )
        if level.top_k > above.num_candidates:
            raise ValueError(
                "Expected `levels` whose `top_k` is at most the candidates of the "
                f"level above, {above.num_candidates}. Received: top_k={level.top_k}"
            )
        above = level
    if ranker is not None and ranker.num_labels != above.num_rows:
        raise ValueError(
            "Expected a `ranker` with one row per place in the clusters, "
            f"num_labels={above.num_rows}. Received: num_labels={ranker.num_labels}"
        )
    heads = 1 + len(levels) + (ranker is not None)
    if level_dims is not None and len(level_dims) != heads:
        raise ValueError(
            "Expected `level_dims` with a width for the generator, each of the "
            f"`levels` and the ranker, {heads}. Received: "
            f"level_dims={list(level_dims)}"
        )
