"""The score of LightDXML: the classifier's and the nearest labels', mixed."""

from keras import ops


def fused_scores(logits, cosines, beta, real=None):
    """`beta norm(sigmoid(logits)) + (1 - beta) norm(sigmoid(cosines))`, rescaled.

    `norm` scales the candidates of a document to length 1. Here all candidates of a
    document are then multiplied by the one number that `norm` divided the first part
    by. That changes no ranking, and the scores stay on the scale of the classifier's
    probabilities: with `beta` 1 they are these. Where the best would be above 1 all are
    divided by it.

    Args:
        logits: float32 tensor (batch, n). Of the classifier.
        cosines: float32 tensor (batch, n). With the label embeddings.
        beta: float or scalar tensor between 0 and 1. Share of the classifier.
        real: optional bool tensor (batch, n), False at pads, which score 0.

    Returns:
        float32 tensor (batch, n), between 0 and 1.

    Example:

    >>> scores = fused_scores(ops.array([[0.0, -9.0]]), ops.array([[0.0, 0.0]]), 0.5)
    >>> [round(float(score), 3) for score in scores[0]]
    [0.427, 0.177]

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Prediction".
    """
    first, second = ops.sigmoid(logits), ops.sigmoid(cosines)
    if real is not None:
        first, second = ops.where(real, first, 0.0), ops.where(real, second, 0.0)
    scale = length(first) / ops.maximum(length(second), 1e-12)
    scores = beta * first + (1 - beta) * scale * second
    return scores / ops.maximum(ops.max(scores, axis=-1, keepdims=True), 1.0)


def scores_as_candidates(logits, cosines, beta, among):
    """What `fused_scores` gives to labels of which some may be no candidates.

    What it divides and multiplies by is taken of the candidates, so a label that is one
    has its score, unless the best of them would be above 1: this is then cut to 1.

    Args:
        logits, cosines, beta: as of `fused_scores`, of any labels (batch, n).
        among: `(logits, cosines)` of the candidates, both (batch, candidates).

    Returns:
        float32 tensor (batch, n), between 0 and 1.

    Example:

    >>> logits, cosines = ops.array([[0.0, -9.0]]), ops.array([[0.0, 0.0]])
    >>> found = scores_as_candidates(logits[:, 1:], cosines[:, 1:], 0.5,
    ...                              (logits, cosines))
    >>> round(float(found[0, 0]), 3)
    0.177
    """
    first, second = (length(ops.sigmoid(part)) for part in among)
    scale = first / ops.maximum(second, 1e-12)
    scores = beta * ops.sigmoid(logits) + (1 - beta) * scale * ops.sigmoid(cosines)
    return ops.minimum(scores, 1.0)


def length(rows):
    return ops.sqrt(ops.sum(ops.square(rows), axis=-1, keepdims=True))
