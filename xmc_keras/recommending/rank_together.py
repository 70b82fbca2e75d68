"""Best labels of several models."""

import tensorflow as tf

from xmc_keras.ops.elementwise import find_repeated


def rank_together(offered, scores_of, k):
    """Ranks the union of the labels that several models offer for each text.

    A label that several models offer counts once. All models score it, including those
    that did not offer it: a label that one model finds and the others consider likely
    must not lose to one that all of them find.

    Args:
        offered: list of int32 tensors (texts, n). Labels of each model, `-1` pads; `n`
            may differ.
        scores_of: function from the union (texts, all n) int32, `-1` pads, to float32
            scores of that shape in [0, 1], for example `average_scores` of all models.
        k: int. Labels to return, at most the width of the union.

    Returns:
        `(label_ids, scores)`: int32 (texts, k), best first, without repetitions, `-1`
        pads; and float32 of that shape, 0 for pads.

    Example:

    >>> first, second = tf.constant([[4, 2]]), tf.constant([[2, 7]])
    >>> scores_of = lambda labels: tf.cast(labels, "float32") / 8
    >>> [part.numpy().tolist()
    ...  for part in rank_together([first, second], scores_of, 4)]
    [[[7, 4, 2, -1]], [[0.875, 0.5, 0.25, 0.0]]]

    Reference: the ensembles of [LightXML](https://arxiv.org/abs/2101.03305), table 2.
    """
    labels = unite_labels(offered)
    scores = tf.where(labels < 0, -1.0, scores_of(labels))
    scores, positions = tf.math.top_k(scores, k)
    label_ids = tf.gather(labels, positions, batch_dims=1)
    return label_ids, tf.maximum(scores, 0.0)


def unite_labels(offered):
    """Concatenates the labels that several models offer, with -1 for repetitions.

    >>> unite_labels([tf.constant([[4, 2]]), tf.constant([[2, 7]])]).numpy().tolist()
    [[4, 2, -1, 7]]
    """
    labels = tf.concat(offered, axis=1)  # (texts, all n)
    return tf.where(find_repeated(labels), -1, labels)
