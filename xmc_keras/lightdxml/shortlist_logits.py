"""Logits of positives and shortlists in training."""

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.ops.row_pools import row_pool


def sample_positives(label_ids, most, seed):
    """At most so many label ids a row, drawn at random where there are more.

    Args:
        label_ids: int32 tensor (batch, positives), `-1` pads.
        most: int.
        seed: `keras.random.SeedGenerator`.

    Returns:
        int32 tensor (batch, min(positives, most)), `-1` pads at the row ends.

    Example:

    >>> seed = keras.random.SeedGenerator(0)
    >>> sample_positives(tf.constant([[4, -1, -1], [5, -1, 6]]), 2, seed).shape
    TensorShape([2, 2])

    Reference:
        The published code of [LightDXML](https://arxiv.org/abs/2304.11045) learns on
        20 positives of a document.
    """
    width = ops.shape(label_ids)[1]

    def drawn():
        keys = keras.random.uniform(ops.shape(label_ids), seed=seed)
        keys = ops.where(label_ids < 0, -1.0, keys)
        places = tf.math.top_k(keys, min_value(width, most)).indices
        return tf.gather(label_ids, places, batch_dims=1)

    if isinstance(width, int):
        return label_ids if width <= most else drawn()
    return tf.cond(width <= most, lambda: label_ids, drawn)


def min_value(a, b):
    return min(a, b) if isinstance(a, int) else tf.minimum(a, b)


def shortlist_logits(classifier, features, positives, shortlist, lexical=None):
    """Logits of each document's own positives and shortlist, as published.

    Args:
        classifier: a `ShortlistClassifier`.
        features: float tensor (batch, dim).
        positives: int32 tensor (batch, p), `-1` pads.
        shortlist: int32 tensor (batch, n), `-1` pads, without positives.
        lexical: optional `(LabelWords, DocumentWords)`, whose logits are added; for
            positives those without the document itself.

    Returns:
        Dictionary of float32 tensors: `logits` (batch, p + n), `MASKED_LOGIT` at pads,
        and those of positives again, `positive_logits` (batch, p), 0 at pads.

    Example:

    >>> from xmc_keras.lightdxml.shortlist_classifier import ShortlistClassifier
    >>> found = shortlist_logits(ShortlistClassifier(9), tf.ones((2, 4)),
    ...     tf.constant([[1], [8]]), tf.constant([[2, 8], [2, -1]]))
    >>> found["logits"].shape, found["positive_logits"].shape
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


def shared_logits(classifier, features, positives, shortlist, drawn, lexical=None):
    """Logits of all documents with the positives and shortlists of all of them.

    More negatives than a document's own, for the rows that the batch reads anyway and
    one matrix product.

    Args:
        classifier, features, positives, shortlist, lexical: as of `shortlist_logits`.
        drawn: int32 tensor (1, n). Further labels, n may be 0.

    Returns:
        As `shortlist_logits`, but `logits` (batch, pool) without pads. Among a
        document's are its positives and other documents' labels.
    """
    ids = [tf.reshape(x, (1, -1)) for x in (positives, shortlist, drawn)]
    pool, places = row_pool(tf.concat(ids, axis=1), classifier.num_labels)
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


def replace_positives(table, places, values):
    """A table (batch, pool) with values (batch, n) at places of a row, `-1` nowhere."""
    rows = tf.range(tf.shape(places)[0])[:, None] + tf.zeros_like(places)
    # What differs is added, so that a pad can add nothing.
    old = tf.gather(table, ops.maximum(places, 0), batch_dims=1)
    change = ops.where(places < 0, 0.0, values - old)
    where = tf.stack([rows, ops.maximum(places, 0)], axis=2)
    return tf.tensor_scatter_nd_add(table, where, change)
