"""Scores of given labels."""

from keras import ops


def label_scores(model, features, label_ids):
    """Probabilities of given labels, whether or not they would be candidates.

    Args:
        model: a `LightXML`.
        features: float tensor (batch, dim), as its encoder gives them.
        label_ids: int32 tensor (batch, n), `-1` pads.

    Returns:
        float32 tensor (batch, n), `0` for pads.

    Reference:
        [LightXML](https://arxiv.org/abs/2101.03305), algorithm 1: the product of the
        cluster's and the label's probability.
    """
    logits = model.generator.cluster_logits(features)
    scores = ops.sigmoid(model.generator.own_logits(logits, label_ids))
    if model.ranker is not None:
        rows = ops.maximum(model.generator.rows_of(label_ids), 0)
        scores *= ops.sigmoid(model.ranker.logits(features, rows))
    return ops.where(label_ids < 0, 0.0, scores)
