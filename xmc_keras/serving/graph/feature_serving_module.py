"""Weighted features to label names and scores, as a graph for TensorFlow Serving."""

import numpy as np
import tensorflow as tf

from xmc_keras.serving.graph.serving_module import ServingModule

SPECS = (
    tf.TensorSpec([None], tf.int32, "indices"),
    tf.TensorSpec([None], tf.float32, "values"),
    tf.TensorSpec([None], tf.int64, "row_splits"),
)


class FeatureServingModule(ServingModule):
    """Signatures of a model that was trained on features instead of texts.

    Same as in `ServingModule`, with three inputs instead of `text`: the arrays of a csr
    matrix. Document `i` has the features `indices[row_splits[i]:row_splits[i + 1]]`
    (int32), with their weights at the same positions of `values` (float32).
    `row_splits` (int64) starts with 0 and has one element more than there are
    documents. Rows are scaled to norm 1, as in training. A feature that was not in
    training is an error.

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
        labels = tf.TensorSpec([None, None], tf.string, "labels")

        @tf.function(input_signature=SPECS, autograph=False)
        def serving_default(indices, values, row_splits):
            """csr rows `indices`, `values`, `row_splits` [n + 1] to the best `labels`
            [n, k] and their `scores` [n, k]."""
            return self._predict((indices, values, row_splits), self.k)

        @tf.function(input_signature=[*SPECS, k], autograph=False)
        def top_k(indices, values, row_splits, k):
            """The same for the `k` of the request."""
            return self._predict((indices, values, row_splits), self._largest(k))

        @tf.function(input_signature=[*SPECS, labels], autograph=False)
        def score(indices, values, row_splits, labels):
            """csr rows and label names `labels` [n, m] to `scores` [n, m]."""
            return self._score((indices, values, row_splits), labels)

        @tf.function(input_signature=SPECS, autograph=False)
        def embed(indices, values, row_splits):
            """csr rows to their `embedding` [n, dim]."""
            return self._embed((indices, values, row_splits))

        functions = (serving_default, top_k, score, embed)
        return {function.python_function.__name__: function for function in functions}

    def _count(self, documents):
        return tf.size(documents[2]) - 1

    def _check(self, documents):
        """`(ids, weights)`, ragged."""
        specs = zip(documents, SPECS)
        ids, values, splits = (tf.ensure_shape(x, spec.shape) for x, spec in specs)
        known = tf.debugging.Assert(
            tf.reduce_all((ids >= 0) & (ids < self.num_features)),
            [f"Expected indices from 0 to {self.num_features - 1}."],
        )
        same_size = tf.debugging.assert_equal(
            tf.size(ids), tf.size(values), "Expected as many values as indices."
        )
        with tf.control_dependencies([known, same_size]):
            # Asserts that the splits start at 0, never decrease and end at the last id.
            ids = tf.RaggedTensor.from_row_splits(ids, splits)
        rows = ids.value_rowids()
        squares = tf.math.unsorted_segment_sum(values**2, rows, ids.nrows())
        norms = tf.gather(tf.sqrt(squares), rows)
        return ids, ids.with_values(tf.math.divide_no_nan(values, norms))
