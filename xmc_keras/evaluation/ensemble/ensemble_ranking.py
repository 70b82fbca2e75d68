"""Best labels of several models, by the mean of their scores."""

import tensorflow as tf

from xmc_keras.lightxml.dynamic_candidate_ranker import find_repeated


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


def average_scores(scores, weights=None):
    """The mean of the scores of several models, optionally weighted.

    Args:
        scores: list of float32 tensors of the same shape, one per model.
        weights: optional list of floats, one per model, not negative and not all 0;
            only their ratios matter. `None` means equal weights.

    Example:

    >>> float(average_scores([tf.constant(1.0), tf.constant(0.5)], [3, 1]))
    0.875
    """
    weights = normalize_weights(weights, len(scores))
    return tf.add_n([weight * part for weight, part in zip(weights, scores)])


def normalize_weights(weights, models):
    """Normalises the weights of `models` models to sum to 1, and checks them.

    >>> normalize_weights(None, 2), normalize_weights([3, 1], 2)
    ([0.5, 0.5], [0.75, 0.25])
    """
    weights = [1.0] * models if weights is None else [float(w) for w in weights]
    fits = len(weights) == models and all(0 <= w < float("inf") for w in weights)
    if not fits or not sum(weights):
        raise ValueError(
            f"Expected `weights` of {models} models, not negative and not all 0. "
            f"Received: {weights}"
        )
    return [weight / sum(weights) for weight in weights]
