"""Weighted features to label names and scores, as a graph for TensorFlow Serving."""

import numpy as np
import tensorflow as tf

from xmc_keras.serving.graph.serving_module import ServingModule

SPECS = (
    tf.TensorSpec([None], tf.int32, "indices"),
    tf.TensorSpec([None], tf.float32, "values"),
    tf.TensorSpec([None], tf.int64, "row_splits"),
)
# Smaller sums of squares lose digits, or are 0 where the values are not.
LEAST_SQUARES = 1e-30


class FeatureServingModule(ServingModule):
    """Signatures of a model that was trained on features instead of texts.

    Same as in `ServingModule`, with three inputs instead of `text`: the arrays of a csr
    matrix. Document `i` has the features `indices[row_splits[i]:row_splits[i + 1]]`
    (int32), with their weights at the same positions of `values` (float32).
    `row_splits` (int64) starts with 0 and has one element more than there are
    documents. Rows are scaled to norm 1, as in training. A feature that was not in
    training is an error, and so is a row that cannot be scaled: with NaN, infinity, or
    values whose squares float32 cannot sum up (1e38, or 1e-38 alone).

    Args:
        models: list of one `LightDXML` without tokenizer and vectorizer, or of several
            trained on the same features.
        **kwargs: the other arguments of `ServingModule`.
    """

    def __init__(self, models, *args, **kwargs):
        super().__init__(models, *args, **kwargs)
        self.num_features = min(model.encoder.num_features for model in models)

    def inputs_of(self, documents):
        """Inputs of a request, from the rows of a csr matrix."""
        return {
            "indices": documents.indices.astype(np.int32),
            "values": documents.data.astype(np.float32),
            "row_splits": documents.indptr.astype(np.int64),
        }

    def signatures(self):
        k = tf.TensorSpec(None, tf.int32, "k")
        threshold = tf.TensorSpec(None, tf.float32, "threshold")
        labels = tf.TensorSpec(None, tf.string, "labels")

        @tf.function(input_signature=SPECS, autograph=False)
        def serving_default(indices, values, row_splits):
            """csr rows `indices`, `values`, `row_splits` [n + 1] to the best `labels`
            [n, k] and their `scores` [n, k]."""
            return self._predict((indices, values, row_splits), self.k)

        @tf.function(input_signature=[*SPECS, k], autograph=False)
        def top_k(indices, values, row_splits, k):
            """The same for the `k` of the request, one for all or [n]."""
            return self._top_k((indices, values, row_splits), k)

        @tf.function(input_signature=[*SPECS, threshold], autograph=False)
        def select(indices, values, row_splits, threshold):
            """csr rows and `threshold`, one for all or [n], negative for the model's
            own, to the `labels` [n, m] that reach it, their `scores`, and `count` [n].
            """
            return self._select((indices, values, row_splits), threshold)

        @tf.function(input_signature=[*SPECS, labels], autograph=False)
        def score(indices, values, row_splits, labels):
            """csr rows and label names `labels` [n, m] or [n] to their `scores`."""
            return self._score((indices, values, row_splits), labels)

        @tf.function(input_signature=SPECS, autograph=False)
        def embed(indices, values, row_splits):
            """csr rows to their `embedding` [n, dim]."""
            return self._embed((indices, values, row_splits))

        functions = (serving_default, top_k, select, score, embed)
        return {function.python_function.__name__: function for function in functions}

    def _count(self, documents):
        return tf.size(documents[2]) - 1

    def _check(self, documents):
        """`(ids, weights)`, ragged."""
        specs = zip(documents, SPECS)
        ids, values, splits = (tf.ensure_shape(x, spec.shape) for x, spec in specs)
        same_size = tf.debugging.assert_equal(
            tf.size(ids), tf.size(values), "Expected as many values as indices."
        )
        none = tf.constant([-1], tf.int64)  # instead of a first and a last one
        increasing = tf.debugging.Assert(
            (tf.concat([splits, none], 0)[0] == 0)
            & (tf.concat([none, splits], 0)[-1] == tf.size(ids, tf.int64))
            & tf.reduce_all(splits[1:] >= splits[:-1]),
            [
                "Expected row_splits that start with 0, never decrease and end with "
                "the number of indices. Received:",
                splits,
            ],
        )
        with tf.control_dependencies([same_size, increasing]):
            ids = tf.RaggedTensor.from_row_splits(
                tf.identity(ids), tf.identity(splits), validate=False
            )
        rows = ids.value_rowids()
        known = (ids.values >= 0) & (ids.values < self.num_features)
        squares = tf.math.unsorted_segment_sum(values**2, rows, ids.nrows())
        nonzero = tf.cast(values != 0, tf.int32)
        empty = tf.math.unsorted_segment_sum(nonzero, rows, ids.nrows()) == 0
        # False for NaN, and for rows whose norm would be infinity or 0.
        scalable = (squares >= LEAST_SQUARES) & (squares <= tf.float32.max) | empty
        checks = [
            tf.debugging.Assert(
                tf.reduce_all(known),
                [
                    f"Expected indices from 0 to {self.num_features - 1}, the features "
                    "of the training data. Leave out other features. Received: row",
                    _first(~known, rows),
                    "with index",
                    _first(~known, ids.values),
                ],
            ),
            tf.debugging.Assert(
                tf.reduce_all(scalable),
                [
                    "Expected finite values with a sum of squares that float32 can "
                    "hold. Scale the row, or correct it. Received: another one in row",
                    _first(~scalable, tf.range(ids.nrows())),
                ],
            ),
        ]
        with tf.control_dependencies(checks):
            norms = tf.gather(tf.sqrt(squares), rows)
        return ids, ids.with_values(tf.math.divide_no_nan(values, norms))


def _first(places, values):
    """The value at the first of the places, or -1 if there is none."""
    none = tf.constant([-1], values.dtype)
    return tf.concat([tf.boolean_mask(values, places), none], 0)[0]
