"""The loss of LightXML's generator and ranker."""

from keras import ops


def cross_entropy(target, logits, reduction="mean", real=None):
    """Binary cross-entropy of each document over clusters or candidates.

    Args:
        target: float32 tensor (batch, n) of 0 and 1.
        logits: float32 tensor (batch, n).
        reduction: `"mean"` or `"sum"` over the n logits. Defaults to `"mean"`.
        real: optional float32 tensor (batch, n), 0 at pads, which are ignored.

    Returns:
        float32 tensor (batch,).

    Reference:
        [LightXML](https://arxiv.org/abs/2101.03305), equations 1 and 5.

    Example:

    >>> loss = cross_entropy([[1.0, 0.0]], [[0.0, 9.0]], real=[[1.0, 0.0]])
    >>> [round(float(value), 4) for value in loss]
    [0.6931]
    """
    loss = ops.binary_crossentropy(target, logits, from_logits=True)
    if real is None:
        real = ops.ones_like(loss)
    loss = ops.sum(loss * real, axis=-1)
    if reduction == "mean":
        loss /= ops.maximum(ops.sum(real, axis=-1), 1.0)
    return loss
