"""Scores from the classifier and from cosines, and the weight `beta` between them."""

import numpy as np
import tensorflow as tf
from keras import ops

from xmc_keras.metrics.ranking_metrics import precision_at_k

BETAS = tuple(i / 20 for i in range(21))


def fuse_scores(logits, cosines, beta, real=None):
    """Fuses `beta norm(sigmoid(logits)) + (1 - beta) norm(sigmoid(cosines))`, rescaled.

    `norm` scales the candidates of a document to length 1. Here the scores of a
    document are then multiplied by the length of the first part. That changes no
    ranking, and keeps the scores on the scale of the classifier's probabilities: with
    `beta` 1 they are equal to them. If the best score of a document exceeds 1, all its
    scores are divided by it.

    Args:
        logits: float32 tensor (batch, n). Logits of the classifier.
        cosines: float32 tensor (batch, n). Cosines with the label embeddings.
        beta: float or scalar tensor between 0 and 1. Weight of the classifier.
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
    scale = row_norms(first) / ops.maximum(row_norms(second), 1e-12)
    scores = beta * first + (1 - beta) * scale * second
    return scores / ops.maximum(ops.max(scores, axis=-1, keepdims=True), 1.0)


def score_candidates(logits, cosines, beta, among):
    """Scores of labels that need not be candidates, on the scale of `fuse_scores`.

    The lengths are those of the candidates, so a candidate has the same score as in
    `fuse_scores`. Only if a candidate's score exceeds 1 they differ: here it is cut to
    1.

    Args:
        logits, cosines, beta: see `fuse_scores`, for any labels (batch, n).
        among: `(logits, cosines)` of the candidates, both (batch, candidates).

    Returns:
        float32 tensor (batch, n), between 0 and 1.

    Example:

    >>> logits, cosines = ops.array([[0.0, -9.0]]), ops.array([[0.0, 0.0]])
    >>> scores = score_candidates(logits[:, 1:], cosines[:, 1:], 0.5, (logits, cosines))
    >>> round(float(scores[0, 0]), 3)
    0.177
    """
    first, second = (row_norms(ops.sigmoid(part)) for part in among)
    scale = first / ops.maximum(second, 1e-12)
    scores = beta * ops.sigmoid(logits) + (1 - beta) * scale * ops.sigmoid(cosines)
    return ops.minimum(scores, 1.0)


def choose_beta(model, batches, relevant, betas=BETAS):
    """Sets the `beta` of a model that ranks validation documents best.

    The best has the largest mean of P@1, P@3 and P@5; ties go to the largest `beta`.

    Args:
        model: a `LightDXML` with up-to-date label embeddings.
        batches: `SparseDocumentBatches` or `DocumentBatches` of the validation
            documents, without shuffling.
        relevant: csr matrix (documents, labels), ones where a label applies.
        betas: numbers from 0 to 1 to try. Defaults to every multiple of 0.05.

    Returns:
        Dictionary of each `beta` to `{"P@1": ..., "P@3": ..., "P@5": ...}`, percent.

    Reference: the published code of [LightDXML](https://arxiv.org/abs/2304.11045)
    tries values on the test set; here a validation split decides.

    Example:

    >>> len(BETAS), BETAS[15]
    (21, 0.75)
    """
    parts = predict_parts(model, batches)
    candidates, relevant = parts["candidates"], relevant[batches.order]
    report = {}
    for beta in betas:
        places = find_best_places(parts["logits"], parts["cosines"], beta)
        top = np.take_along_axis(candidates, places, axis=1)
        report[beta] = {
            f"P@{k}": 100 * precision_at_k(top[:, :k], relevant, k) for k in (1, 3, 5)
        }
    model.beta.assign(max(report, key=lambda b: (sum(report[b].values()), b)))
    return report


def predict_parts(model, batches, predict=None):
    """The parts of the scores of documents, in the order of the batches.

    Args:
        model, batches: see `choose_beta`.
        predict: optional result of `parts_function`, traced before.

    Returns:
        Dictionary of arrays (documents, candidates): `candidates` int32, and float32
        `logits`, `cosines`, and `words`, the part of the logits that is from
        `LabelWords`, 0 without them.
    """
    predict, found = predict or parts_function(model, batches), []
    for batch in batches.batches():
        x = batch[0] if isinstance(batch, tuple) else batch
        parts = predict({name: tf.convert_to_tensor(v) for name, v in x.items()})
        found.append({name: part.numpy() for name, part in parts.items()})
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def parts_function(model, batches):
    """A `tf.function` from inputs like those of the batches to the parts of scores."""
    batch = next(batches.batches())
    x = batch[0] if isinstance(batch, tuple) else batch
    # Of any length: else it is traced again for most of them.
    shapes = {name: tf.TensorSpec([None] * v.ndim, v.dtype) for name, v in x.items()}

    @tf.function(input_signature=[shapes])
    def predict(x):
        words = model.read_words(x)
        found = model.rank(model.encoder(x, training=False), words)
        parts = {name: found[name] for name in ("candidates", "logits", "cosines")}
        parts["words"] = tf.zeros_like(found["logits"])
        if model.lexical is not None:
            cosines = model.lexical.cosines(words.lexical, found["candidates"])
            parts["words"] = model.lexical.scale * cosines
        return parts

    return predict


def find_best_places(logits, cosines, beta):
    """Places (documents, 5) of the best candidates; ties go to the first.

    Args:
        logits, cosines, beta: see `fuse_scores`; arrays.
    """
    scores = np.asarray(fuse_scores(logits, cosines, beta))
    return np.argsort(-scores, axis=1, kind="stable")[:, :5]


def row_norms(rows):
    """Norms (batch, 1) of rows (batch, n)."""
    return ops.sqrt(ops.sum(ops.square(rows), axis=-1, keepdims=True))
