"""Training logits of positives and shortlists, with own or shared negatives."""

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.ops.distribution.replicas import count_replicas, gather_replicas
from xmc_keras.ops.row_pools import row_pool


def shortlist_logits(classifier, features, positives, shortlist, lexical=None):
    """Logits of each document's own positives and shortlist, as published.

    Args:
        classifier: a `ShortlistClassifier`.
        features: float tensor (batch, dim).
        positives: int32 tensor (batch, p), padded with `-1`.
        shortlist: int32 tensor (batch, n), padded with `-1`, without positives.
        lexical: optional `(LabelWords, DocumentWords)`, whose logits are added; for
            positives, without the document itself.

    Returns:
        Dictionary of float32 tensors: `logits` (batch, p + n), `MASKED_LOGIT` at pads,
        and `positive_logits` (batch, p), the logits of the positives, 0 at pads.

    Example:

    >>> from xmc_keras.lightdxml.shortlist_classifier import ShortlistClassifier
    >>> outputs = shortlist_logits(ShortlistClassifier(9), tf.ones((2, 4)),
    ...     tf.constant([[1], [8]]), tf.constant([[2, 8], [2, -1]]))
    >>> outputs["logits"].shape, outputs["positive_logits"].shape
    (TensorShape([2, 3]), TensorShape([2, 1]))
    """
    both = tf.concat([positives, shortlist], axis=1)
    pool, places = row_pool(both, classifier.num_labels)
    logits = classifier(features, pool, places)
    if lexical is not None:
        layer, words = lexical
        own = [layer.left_out(words, positives), layer.cosines(words, shortlist)]
        logits += layer.scale * tf.concat(own, axis=1)
    positive = logits[:, : ops.shape(positives)[1]]
    positive = ops.where(positives < 0, 0.0, positive)
    return {"logits": logits, "positive_logits": positive}


def shared_logits(classifier, features, positives, shortlist, random_ids, lexical=None):
    """Logits of each document for the positives and shortlists of the whole batch.

    Gives a document more negatives than its own, at the cost of one matrix product
    with rows that the batch reads anyway.

    Args:
        classifier, features, positives, shortlist, lexical: see `shortlist_logits`.
        random_ids: int32 tensor (1, n). Additional labels; n may be 0.

    Returns:
        Dictionary as in `shortlist_logits`, but `logits` is (batch, pool) without pads:
        a document's own labels and those of other documents.
    """
    flat = [tf.reshape(x, [-1]) for x in (positives, shortlist, random_ids)]
    if count_replicas() > 1:  # also those of the batch's documents on other replicas
        flat[1] = gather_replicas(tf.concat(flat[:2], axis=0))
    pool, places = row_pool(tf.concat(flat, axis=0)[None], classifier.num_labels)
    logits = classifier(features, pool)  # (batch, pool)
    places = tf.reshape(places[:, : tf.size(positives)], tf.shape(positives))
    if lexical is not None:
        layer, words = lexical
        cosines = layer.cosines(words, pool)  # (batch, pool)
        cosines = replace_positives(cosines, places, layer.left_out(words, positives))
        logits += layer.scale * cosines
    positive = tf.gather(logits, ops.maximum(places, 0), batch_dims=1)
    return {
        "logits": logits,
        "positive_logits": ops.where(places < 0, 0.0, positive),
    }


def sample_positives(label_ids, most, seed):
    """Draws at most `most` label ids per row at random.

    Args:
        label_ids: int32 tensor (batch, positives), padded with `-1`.
        most: int. Maximum number of label ids per row.
        seed: `keras.random.SeedGenerator`.

    Returns:
        int32 tensor (batch, min(positives, most)). If ids are drawn, the padding is at
        the row ends.

    Example:

    >>> seed = keras.random.SeedGenerator(0)
    >>> sample_positives(tf.constant([[4, -1, -1], [5, -1, 6]]), 2, seed).shape
    TensorShape([2, 2])

    Reference:
        The published code of [LightDXML](https://arxiv.org/abs/2304.11045) trains on
        at most 20 positives of a document.
    """
    width = ops.shape(label_ids)[1]

    def draw():
        keys = keras.random.uniform(ops.shape(label_ids), seed=seed)
        keys = ops.where(label_ids < 0, -1.0, keys)
        places = tf.math.top_k(keys, min_value(width, most)).indices
        return tf.gather(label_ids, places, batch_dims=1)

    if isinstance(width, int):
        return label_ids if width <= most else draw()
    return tf.cond(width <= most, lambda: label_ids, draw)


def replace_positives(table, places, values):
    """Replaces the values at `places` (batch, n) in the rows of a table (batch, pool).

    Places are padded with `-1`, which replace nothing.
    """
    rows = tf.range(tf.shape(places)[0])[:, None] + tf.zeros_like(places)
    # The difference is added, so that pads can add zero.
    old = tf.gather(table, ops.maximum(places, 0), batch_dims=1)
    change = ops.where(places < 0, 0.0, values - old)
    where = tf.stack([rows, ops.maximum(places, 0)], axis=2)
    return tf.tensor_scatter_nd_add(table, where, change)


def min_value(a, b):
    """The smaller of two integers, of which the first may be a tensor."""
    return min(a, b) if isinstance(a, int) else tf.minimum(a, b)
