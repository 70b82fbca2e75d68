"""Scores of given labels."""

from keras import ops

from xmc_keras.fused_scores import scores_as_candidates


def label_scores(model, features, label_ids, words=None):
    """Probabilities of given labels, whether or not they would be candidates.

    Args:
        model: a `LightXML` or `LightDXML`.
        features: float tensor (batch, dim), as its encoder gives them.
        label_ids: int32 tensor (batch, n), `-1` pads.
        words: the `DocumentWords` of the batch, where a `LightDXML` has `lexical`.

    Returns:
        float32 tensor (batch, n), `0` for pads.

    Reference:
        [LightXML](https://arxiv.org/abs/2101.03305), algorithm 1: the product of the
        cluster's and the label's probability, or what the model's `score` says. Of a
        `LightDXML` see `scores_as_candidates`.
    """
    if not hasattr(model, "generator"):
        return _of_lightdxml(model, features, label_ids, words)
    of_generator, of_ranker = model.views(features)
    logits = model.generator.cluster_logits(of_generator)
    scores = ops.sigmoid(model.generator.own_logits(logits, label_ids))
    if model.ranker is not None:
        rows = ops.maximum(model.generator.rows_of(label_ids), 0)
        own = ops.sigmoid(model.ranker.logits(of_ranker, rows))
        scores = model.joined(scores, own)
    return ops.where(label_ids < 0, 0.0, scores)


def _of_lightdxml(model, features, label_ids, words):
    found = model.rank(features, words)
    ids = ops.maximum(label_ids, 0)
    scores = scores_as_candidates(
        model.logits(features, ids, words),
        model.nearest.cosines(features, ids),
        model.beta,
        (found["logits"], found["cosines"]),
    )
    return ops.where(label_ids < 0, 0.0, scores)
