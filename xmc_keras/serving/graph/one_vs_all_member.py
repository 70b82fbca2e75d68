"""An OneVsAll in a ServingModule."""

import tensorflow as tf

from xmc_keras.ops.elementwise import logit
from xmc_keras.serving.graph.searched_table import SearchedTable
from xmc_keras.serving.graph.token_reader import TokenReader

GATHERED = 4096  # pairs of a text and a label that are scored by columns of their own


class OneVsAllMember(TokenReader):
    """An `OneVsAll` of an ensemble, with its weights in given dtypes.

    The best labels are found by one product with the whole table (`SearchedTable`) and
    one `top_k`: for one text, blocks of labels are no faster. Given labels are scored
    by their own columns, or if they are many, by the product, which then is faster.

    Args:
        model: a built `OneVsAll` that computes in float32.
        table_dtype, dense_dtype: same as in `ServingModule`.

    Attributes:
        weights: list of `tf.Variable` to save.
        halves: list of pairs of a Keras variable and its float16 form.
        searched: the `SearchedTable`, to be tracked by the module.
    """

    def __init__(self, model, table_dtype, dense_dtype):
        super().__init__(model)
        self.feature_dim = model.encoder.feature_dim
        self._model = model
        head = model.head
        blocks = [block.value for block in head.blocks]
        self.searched = SearchedTable(blocks, table_dtype)
        self.weights, self.halves = [*self.searched.variables], []
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
        label_ids, scores = self._best(self._logits(hidden))
        return label_ids, self._model.calibrate_ranked(label_ids, scores)

    def _best(self, logits):
        """Labels and scores from the logits of all labels (block, num_labels)."""
        k = min(self._model.num_predictions, self._model.num_candidates)
        logits, ids = tf.math.top_k(logits, k)
        return ids, tf.sigmoid(logits)

    def label_scores(self, hidden, label_ids):
        """Scores of given labels; 0 for -1."""
        ids = tf.maximum(label_ids, 0)  # (block, n)
        calibration = self._model.calibration
        if calibration is not None:  # needs the total of the best
            logits = self._logits(hidden)
            _, best = self._best(logits)
            scores = tf.sigmoid(tf.gather(logits, ids, batch_dims=1))
            return calibration.apply(label_ids, scores, best)
        logits = tf.cond(
            tf.size(ids) <= GATHERED,
            lambda: self._gathered_logits(hidden, ids),
            lambda: tf.gather(self._logits(hidden), ids, batch_dims=1),
        )
        return tf.where(label_ids < 0, 0.0, tf.sigmoid(logits))

    def _gathered_logits(self, hidden, ids):
        columns = tf.gather(self.searched.columns(), ids, axis=1)  # (dim, block, n)
        products = tf.einsum("bd,dbn->bn", hidden, columns)
        return products + logit(self._model.head.initial_probability)

    def _logits(self, hidden):
        products = tf.matmul(hidden, self.searched.columns())  # (block, num_labels)
        return products + logit(self._model.head.initial_probability)
