"""The loss of LightDXML."""

from keras import ops

from xmc_keras.ops.elementwise import isin


def summed_cross_entropy(outputs, label_ids):
    """Binary cross-entropy of each document, summed over its scored labels.

    Args:
        outputs: dictionary. In training `logits` (batch, n) and `positive_logits`
            (batch, p), the logits of the positives, 0 at pads; in evaluation `logits`
            and `candidates` (batch, n) int32.
        label_ids: int32 tensor (batch, positives), padded with `-1`.

    Returns:
        float32 tensor (batch,).

    Example:

    >>> outputs = {"logits": ops.array([[0.0, 2.0]]), "candidates": ops.array([[4, 6]])}
    >>> round(float(summed_cross_entropy(outputs, ops.array([[6, -1]]))[0]), 4)
    0.8201

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Classifier training".
    """
    logits = outputs["logits"]
    if "positive_logits" in outputs:
        positive = outputs["positive_logits"]
    else:
        relevant = isin(outputs["candidates"], label_ids)
        positive = ops.where(relevant, logits, 0.0)
    # -t log s(x) - (1 - t) log(1 - s(x)) is softplus(x) - t x, so the positives can be
    # summed separately and no array of targets is needed.
    return ops.sum(ops.softplus(logits), axis=1) - ops.sum(positive, axis=1)
