"""What the classifier of LightDXML learns on in a batch."""

import tensorflow as tf
from keras import ops

from xmc_keras.row_pool import row_pool


def shortlist_logits(classifier, features, positives, shortlist):
    """Logits of each document's own positives and shortlist, as published.

    Args:
        classifier: a `ShortlistClassifier`.
        features: float tensor (batch, dim).
        positives: int32 tensor (batch, p), `-1` pads.
        shortlist: int32 tensor (batch, n), `-1` pads, without positives.

    Returns:
        Dictionary of float32 tensors: `logits` (batch, p + n), `MASKED_LOGIT` at pads,
        and those of positives again, `positive_logits` (batch, p), 0 at pads.

    Example:

    >>> from xmc_keras.shortlist_classifier import ShortlistClassifier
    >>> found = shortlist_logits(ShortlistClassifier(9), tf.ones((2, 4)),
    ...     tf.constant([[1], [8]]), tf.constant([[2, 8], [2, -1]]))
    >>> found["logits"].shape, found["positive_logits"].shape
    (TensorShape([2, 3]), TensorShape([2, 1]))
    """
    both = tf.concat([positives, shortlist], axis=1)
    pool, places = row_pool(both, classifier.num_labels)
    logits = classifier(features, pool, places)
    positive = logits[:, : ops.shape(positives)[1]]
    positive = ops.where(positives < 0, 0.0, positive)
    return {"logits": logits, "positive_logits": positive}


def shared_logits(classifier, features, positives, shortlist, drawn):
    """Logits of all documents with the positives and shortlists of all of them.

    More negatives than a document's own, for the rows that the batch reads anyway and
    one matrix product.

    Args:
        classifier, features, positives, shortlist: as of `shortlist_logits`.
        drawn: int32 tensor (1, n). Further labels, n may be 0.

    Returns:
        As `shortlist_logits`, but `logits` (batch, pool) without pads. Among a
        document's are its positives and other documents' labels.
    """
    ids = [tf.reshape(x, (1, -1)) for x in (positives, shortlist, drawn)]
    pool, places = row_pool(tf.concat(ids, axis=1), classifier.num_labels)
    logits = classifier(features, pool)  # (batch, pool)
    places = tf.reshape(places[:, : tf.size(positives)], tf.shape(positives))
    positive = tf.gather(logits, ops.maximum(places, 0), batch_dims=1)
    return {
        "logits": logits,
        "positive_logits": ops.where(places < 0, 0.0, positive),
    }
