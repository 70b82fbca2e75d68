"""The top clusters of each document, for static negatives."""

import numpy as np
import tensorflow as tf


def find_top_clusters(model, batches):
    """Finds the clusters that a model's generator keeps for each document.

    Given as `cluster_ids` in the training input, they are the static negatives of the
    paper's table 5.

    Args:
        model: a `LightXML`.
        batches: iterable of `(x, y)` or `x`, in the order of the result.

    Returns:
        int32 array (documents, top_k), best first.

    Reference:
        [LightXML](https://arxiv.org/abs/2101.03305), section "Effect of the dynamic
        negative sampling".
    """

    @tf.function(reduce_retracing=True)
    def top_clusters(x):
        features = model.split_features(model.encoder(x, training=False))
        logits = model.generator(features[0])[0]
        return tf.math.top_k(logits, model.generator.top_k).indices

    return np.concatenate(
        [top_clusters(b[0] if isinstance(b, tuple) else b).numpy() for b in batches]
    )
