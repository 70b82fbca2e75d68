"""Recall of the candidates, as a Keras metric."""

import keras
from keras import ops

from xmc_keras.ops.elementwise import isin


@keras.saving.register_keras_serializable(package="xmc_keras")
class CandidateRecall(keras.metrics.Mean):
    """Mean over documents of the fraction of their labels among the candidates.

    It bounds the recall of the ranker. Labels that are in no cluster count as missed.

    Args:
        name: string. Defaults to `"candidate_recall"`.
        **kwargs: other arguments of `keras.metrics.Mean`.

    Example:

    >>> recall = CandidateRecall()
    >>> recall.update_state([[3, 7], [4, -1]], [[7, 1, -1], [4, 0, 2]])
    >>> float(recall.result())
    0.75
    """

    def __init__(self, name="candidate_recall", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, label_ids, candidates):
        """Adds a batch.

        Args:
            label_ids: int32 tensor (batch, positives), `-1` pads.
            candidates: int32 tensor (batch, num_candidates), `-1` pads.
        """
        label_ids, candidates = (
            ops.cast(label_ids, "int32"),
            ops.cast(candidates, "int32"),
        )
        known = ops.cast(label_ids >= 0, "float32")
        found = ops.cast(isin(label_ids, candidates), "float32") * known
        counts = ops.maximum(ops.sum(known, axis=1), 1.0)
        super().update_state(ops.sum(found, axis=1) / counts)
