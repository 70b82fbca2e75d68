"""Initializing the head of OneVsAll with the centroids of labels."""

import numpy as np
import tensorflow as tf

from xmc_keras.lightxml.start_from_centroids import SCALE, Centroids
from xmc_keras.ops.distribution.workers import Workers


def start_head(model, batches, scale=SCALE):
    """Initializes the rows of an `OneVsAll` with the centroids of labels.

    As `start_from_centroids` does for the ranker of a LightXML.

    Args:
        model: a built `OneVsAll`. Its encoder runs as in prediction.
        batches: iterable of `(x, y)` with each training document once, see
            `DocumentBatches.batches`.
        scale: float, see `start_from_centroids`. Defaults to `4.0`.

    Example:

    >>> from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
    >>> from xmc_keras.one_vs_all.one_vs_all import OneVsAll
    >>> from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead
    >>> model = OneVsAll(SparseTextEncoder(num_features=50, dim=8), OneVsAllHead(2))
    >>> x = {"token_ids": np.array([[7, 3], [5, 4]], "int32"),
    ...      "token_weights": np.full((2, 2), 0.7, "float32")}
    >>> before = model(x)
    >>> start_head(model, [(x, np.array([[0], [1]]))])
    >>> model(x)["predicted_ids"][:, 0].numpy().tolist()
    [0, 1]
    """
    head = model.head

    @tf.function(reduce_retracing=True, autograph=False)
    def project(x):
        return tf.cast(head.project(model.encoder(x, training=False)), tf.float32)

    centroids = Centroids(head.num_labels)
    for x, label_ids in batches:
        known = np.where(label_ids < head.num_labels, label_ids, -1)
        centroids.add(project(x).numpy(), known)
    centroids.merge(Workers.of(model))
    for label_ids, rows in centroids.rows(scale):
        head.assign_rows(label_ids, rows)
