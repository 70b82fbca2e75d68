"""An OneVsAll in a ServingModule."""

import tensorflow as tf

from xmc_keras.files.bad_input import BadInput
from xmc_keras.ops.elementwise import logit
from xmc_keras.serving.graph.searched_table import SearchedTable
from xmc_keras.serving.graph.token_reader import TokenReader


class OneVsAllMember(TokenReader):
    """An `OneVsAll` of an ensemble, with its weights in given dtypes.

    All labels are scored by one product with the whole table (`SearchedTable`), of
    which `label_scores` reads the columns of the labels.

    Args:
        model: a built `OneVsAll` that computes in float32.
        table_dtype, dense_dtype: same as in `ServingModule`.

    Attributes:
        weights: list of `tf.Variable` to save.
        halves: list of pairs of a Keras variable and its float16 form.
        searched: the `SearchedTable`, to be tracked by the module.

    Raises:
        BadInput: the model does not support these dtypes.
    """

    def __init__(self, model, table_dtype, dense_dtype):
        if table_dtype == "int8":
            raise BadInput(
                "Expected float32 or float16 for one-vs-all, whose table is searched "
                "as a whole. Received: int8."
            )
        super().__init__(model)
        self.feature_dim = model.encoder.feature_dim
        self._model = model
        head = model.head
        rows = tf.concat([tf.cast(b.value, tf.float32) for b in head.blocks], axis=0)
        self.searched = SearchedTable(rows, table_dtype)
        self.weights, self.halves = [self.searched.variable], []
        dense = [*model.encoder.weights]
        if head.bottleneck is not None:
            dense += head.bottleneck.weights
        for weight in dense:
            variable = weight.value
            if dense_dtype == "float16" and weight.dtype == "float32":
                variable = tf.Variable(tf.cast(variable, dense_dtype), trainable=False)
                self.halves.append((weight, variable))
            self.weights.append(variable)

    def features(self, inputs):
        return self._model.encoder(inputs, training=False)

    def encode(self, inputs):
        """Input of `rank` and `label_scores`: features as wide as the table."""
        return self._model.head.project(self.features(inputs))

    def rank(self, hidden):
        k = min(self._model.num_predictions, self._model.num_candidates)
        logits, ids = tf.math.top_k(self._logits(hidden), k)
        return ids, tf.sigmoid(logits)

    def label_scores(self, hidden, label_ids):
        """Scores of given labels; 0 for -1."""
        rows = tf.maximum(label_ids, 0)
        logits = tf.gather(self._logits(hidden), rows, batch_dims=1)
        return tf.where(label_ids < 0, 0.0, tf.sigmoid(logits))

    def _logits(self, hidden):
        products = tf.matmul(hidden, self.searched.columns())  # (block, num_labels)
        return products + logit(self._model.head.initial_probability)
