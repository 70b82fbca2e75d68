"""The share of the classifier in the scores of LightDXML."""

import numpy as np
import tensorflow as tf

from xmc_keras.fused_scores import fused_scores
from xmc_keras.ranking_metrics import precision_at_k

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
        scores = np.asarray(fused_scores(logits, cosines, beta))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :5]
        top = np.take_along_axis(candidates, order, axis=1)
        report[beta] = {
            f"P@{k}": 100 * precision_at_k(top[:, :k], relevant, k) for k in (1, 3, 5)
        }
    model.beta.assign(max(report, key=lambda b: (sum(report[b].values()), b)))
    return report
