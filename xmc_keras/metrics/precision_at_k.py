"""Precision at k of ranked label ids, as a Keras metric."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="xmc_keras")
class PrecisionAtK(keras.metrics.Mean):
    """Mean over documents of the fraction of the top `k` predictions that are hits.

    It takes ranked label ids instead of one score per label, so no array of size
    (batch, labels) is needed. The number of hits is divided by `k` even if a document
    has fewer than `k` labels or predictions, as is usual for P@k.

    Args:
        k: int, at least 1. Number of predictions that count.
        name: optional string. Defaults to `"precision_at_{k}"`.
        dtype: optional dtype or policy. Sums are float64 if this is float64, otherwise
            float32, also under half precision: a sum in bfloat16 stops growing after a
            few hundred documents.

    Call arguments:
        y_true: int tensor (batch, positives). Label ids in any order, `-1` pads.
        y_pred: int tensor (batch, columns). Label ids, best first, `-1` pads.
            A pad is never a hit and a repeated id counts once. If there are fewer than
            `k` columns, the missing ones are pads.
        sample_weight: optional tensor (batch,). Weights of the documents.

    Example:

    >>> metric = PrecisionAtK(2)
    >>> metric.update_state([[7, 8, 9], [5, -1, -1]], [[9, 7, 1], [1, 5, 3]])
    >>> float(metric.result())
    0.75

    Reference: `ranking_metrics.precision_at_k` computes the same number for a whole
    data set in NumPy.
    """

    def __init__(self, k, name=None, dtype=None):
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise ValueError(f"Expected `k` as an integer above 0. Received: k={k!r}.")
        policy = keras.dtype_policies.get(dtype or "float32")
        super().__init__(
            name=name or f"precision_at_{k}",
            dtype="float64" if policy.compute_dtype == "float64" else "float32",
        )
        self.k = int(k)
        # Read by callbacks with mode="auto": higher is better.
        self._direction = "up"

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = self._label_ids("y_true", y_true)
        y_pred = self._label_ids("y_pred", y_pred)
        # Padding makes the number of columns static for any y_pred.
        y_pred = ops.pad(y_pred, [[0, 0], [0, self.k]], constant_values=-1)
        y_pred = y_pred[:, : self.k]  # (batch, k)

        relevant = ops.any(
            ops.equal(y_pred[:, :, None], y_true[:, None, :]), axis=-1
        )  # (batch, k)
        # Entry (i, j) of the lower triangle: does rank i repeat rank j < i?
        repeated = ops.any(
            ops.logical_and(
                ops.equal(y_pred[:, :, None], y_pred[:, None, :]),
                np.tri(self.k, k=-1, dtype=bool),
            ),
            axis=-1,
        )  # (batch, k)
        hits = ops.logical_and(relevant, y_pred >= 0)
        hits = ops.logical_and(hits, ops.logical_not(repeated))
        super().update_state(
            ops.sum(ops.cast(hits, self.dtype), axis=-1) / self.k, sample_weight
        )

    def _label_ids(self, name, values):
        values = ops.convert_to_tensor(values)
        if not keras.backend.is_int_dtype(values.dtype) or len(values.shape) != 2:
            raise ValueError(
                f"Expected `{name}` as integer label ids (batch, columns). Received: "
                f"shape={tuple(values.shape)}, dtype={values.dtype}. Convert scores to "
                "ranked ids with keras.ops.top_k(scores, k)[1]."
            )
        return ops.cast(values, "int32")

    def get_config(self):
        return {**super().get_config(), "k": self.k}
