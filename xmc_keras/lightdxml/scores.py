"""Scores of classifier and nearness together, and the share of each."""

import numpy as np
import tensorflow as tf
from keras import ops

from xmc_keras.metrics.ranking_metrics import precision_at_k


def fuse_scores(logits, cosines, beta, real=None):
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

    >>> scores = fuse_scores(ops.array([[0.0, -9.0]]), ops.array([[0.0, 0.0]]), 0.5)
    >>> [round(float(score), 3) for score in scores[0]]
    [0.427, 0.177]

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Prediction".
    """
    first, second = ops.sigmoid(logits), ops.sigmoid(cosines)
    if real is not None:
        first, second = ops.where(real, first, 0.0), ops.where(real, second, 0.0)
    scale = masked_norm(first) / ops.maximum(masked_norm(second), 1e-12)
    scores = beta * first + (1 - beta) * scale * second
    return scores / ops.maximum(ops.max(scores, axis=-1, keepdims=True), 1.0)


def score_candidates(logits, cosines, beta, among):
    """What `fuse_scores` gives to labels of which some may be no candidates.

    What it divides and multiplies by is taken of the candidates, so a label that is one
    has its score, unless the best of them would be above 1: this is then cut to 1.

    Args:
        logits, cosines, beta: as of `fuse_scores`, of any labels (batch, n).
        among: `(logits, cosines)` of the candidates, both (batch, candidates).

    Returns:
        float32 tensor (batch, n), between 0 and 1.

    Example:

    >>> logits, cosines = ops.array([[0.0, -9.0]]), ops.array([[0.0, 0.0]])
    >>> found = score_candidates(logits[:, 1:], cosines[:, 1:], 0.5,
    ...                              (logits, cosines))
    >>> round(float(found[0, 0]), 3)
    0.177
    """
    first, second = (masked_norm(ops.sigmoid(part)) for part in among)
    scale = first / ops.maximum(second, 1e-12)
    scores = beta * ops.sigmoid(logits) + (1 - beta) * scale * ops.sigmoid(cosines)
    return ops.minimum(scores, 1.0)


def masked_norm(rows):
    return ops.sqrt(ops.sum(ops.square(rows), axis=-1, keepdims=True))


BETAS = tuple(i / 20 for i in range(21))


def choose_beta(model, batches, relevant, betas=BETAS):
    """Finds the `beta` that ranks validation documents best, and sets it.

    Best is the largest mean of P@1, P@3 and P@5; of equal ones the largest `beta`.

    Args:
        model: a `LightDXML` with fresh label embeddings.
        batches: `SparseDocumentBatches` or `DocumentBatches` of the validation
            documents, not shuffled.
        relevant: csr matrix (documents, labels), ones where a label applies.
        betas: numbers from 0 to 1 to try. Defaults to every 0.05.

    Returns:
        Dictionary from each `beta` to `{"P@1": ..., "P@3": ..., "P@5": ...}`, percent.

    Reference: the published code of [LightDXML](https://arxiv.org/abs/2304.11045)
    tries values on the test part; here a validation split decides.

    Example:

    >>> len(BETAS), BETAS[15]
    (21, 0.75)
    """
    rank = tf.function(lambda x: model(x, training=False), reduce_retracing=True)
    parts = []
    for batch in batches.batches():
        x = batch[0] if isinstance(batch, tuple) else batch
        found = rank({name: tf.convert_to_tensor(v) for name, v in x.items()})
        parts.append([found[n].numpy() for n in ("candidates", "logits", "cosines")])
    candidates, logits, cosines = map(np.concatenate, zip(*parts))
    relevant = relevant[batches.order]
    report = {}
    for beta in betas:
        scores = np.asarray(fuse_scores(logits, cosines, beta))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :5]
        top = np.take_along_axis(candidates, order, axis=1)
        report[beta] = {
            f"P@{k}": 100 * precision_at_k(top[:, :k], relevant, k) for k in (1, 3, 5)
        }
    model.beta.assign(max(report, key=lambda b: (sum(report[b].values()), b)))
    return report
