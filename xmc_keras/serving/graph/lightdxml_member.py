"""A LightDXML in a ServingModule."""

import tensorflow as tf
from keras import ops

from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
from xmc_keras.files.bad_input import BadInput
from xmc_keras.lightdxml.nearest_labels import normalize_rows
from xmc_keras.lightdxml.scores import fuse_scores, score_candidates
from xmc_keras.serving.graph.searched_table import SearchedTable
from xmc_keras.serving.graph.stored_rows import StoredRows
from xmc_keras.serving.graph.stored_words import StoredWords
from xmc_keras.text.text_tokenizer import TextTokenizer


class LightDXMLMember:
    """A `LightDXML` of an ensemble, with its weights in given dtypes.

    The search for candidates is exact: a product with the whole table of label
    embeddings or classifier weights (`SearchedTable`) plus, if the model has them, the
    words of labels (`StoredWords`). Of the other tables only single rows are read, and
    then converted to float32.

    Args:
        model: a built `LightDXML` that computes in float32.
        table_dtype, dense_dtype: same as in `ServingModule`. `dense_dtype` includes
            word embeddings, which are also read by rows.

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
                "Expected float32 or float16 for LightDXML, whose tables are searched "
                "as a whole. Received: int8."
            )
        self.text_tokenizer = None
        if model.tokenizer is not None:
            self.text_tokenizer = TextTokenizer(model.tokenizer, model.max_tokens)
        self.vectorizer = model.vectorizer
        self._model = model
        self.weights, self.halves = [], []
        label_weights = model.classifier.label_weights
        tables = model.nearest.label_embeddings, label_weights
        if model.candidates_from == "classifier":
            tables = tables[::-1]
        self.searched = SearchedTable([tables[0].value], table_dtype)
        self.weights += self.searched.variables
        # Scores then contain no cosines, and their table is not needed.
        self._by_logits = (
            float(model.beta.value) == 1 and model.candidates_from == "classifier"
        )
        self._gathered = None
        if not self._by_logits:
            self._gathered = self._store(tables[1], table_dtype)
        self._label_bias = self._store(model.classifier.label_bias)
        self._beta = self._store(model.beta)
        encoder = model.encoder
        self.feature_dim = int(label_weights.shape[1])
        self._word_embeddings = None
        if isinstance(encoder, SparseTextEncoder):
            self._word_embeddings = self._store(encoder.token_embeddings, dense_dtype)
            for weight in [] if encoder.block is None else encoder.block.weights:
                self._store(weight)
        else:
            for weight in encoder.weights:
                variable = self._store(weight, dense_dtype)
                if variable is not weight.value:
                    self.halves.append((weight, variable))
        self._words = None
        if model.lexical is not None:
            searched = model.candidates_from == "classifier"
            self._words = StoredWords(model.lexical, table_dtype, searched)
            self.weights += self._words.variables
        self._linear = None
        if model.linear is not None:
            self._linear = StoredRows(model.linear, table_dtype)
            self.weights += self._linear.variables
        if self.vectorizer is not None:
            self.weights += self.vectorizer.variables

    def _store(self, weight, dtype="float32"):
        variable = weight.value
        if dtype == "float16" and weight.dtype == "float32":
            variable = tf.Variable(tf.cast(variable, dtype), trainable=False)
        self.weights.append(variable)
        return variable

    def read(self, documents):
        """Converts texts to ids, or to ids and weights; passes on ids and weights."""
        if self.text_tokenizer is not None:
            return [self.text_tokenizer.ragged_ids(documents)]
        if self.vectorizer is not None:
            return self.vectorizer.ragged(documents)
        return documents

    def inputs(self, tokens, rows):
        """Inputs of the given documents, ragged."""
        return [tf.gather(part, rows) for part in tokens]

    def features(self, inputs):
        encoder = self._model.encoder
        if self.text_tokenizer is not None:
            ids = inputs[0]
            mask = tf.sequence_mask(ids.row_lengths())
            ids = ids.to_tensor(self.text_tokenizer.pad_id)  # (block, tokens)
            x = {"token_ids": ids, "padding_mask": mask}
            return encoder(x, training=False)
        ids, weights = inputs
        if self._word_embeddings is None:
            ids, weights = ids.to_tensor(-1), weights.to_tensor()
            return encoder({"token_ids": ids, "token_weights": weights})
        z = ops.relu(sum_weighted(self._word_embeddings, ids, weights))
        return z if encoder.block is None else z + ops.relu(encoder.block(z))

    def encode(self, inputs):
        """Input of `rank` and `label_scores`: features, words if labels have them, and
        logits of the linear member."""
        words = None if self._words is None else self._words.prepare_block(*inputs)
        linear = None if self._linear is None else self._linear.logits(*inputs)
        return self.features(inputs), words, linear

    def rank(self, encoded):
        label_ids, scores = self._rank(encoded)
        return label_ids, self._model.calibrate_ranked(label_ids, scores)

    def _rank(self, encoded, found=None):
        """Labels and scores before calibration; for `found` see `_candidates`."""
        candidates, logits, cosines = self._candidates(encoded, found)
        k = min(self._model.num_predictions, self._model.num_candidates)
        if self._by_logits:
            scores = tf.sigmoid(logits)
        else:
            scores = fuse_scores(logits, cosines, self._beta)
        scores, places = tf.math.top_k(scores, k)
        return tf.gather(candidates, places, batch_dims=1), scores

    def label_scores(self, encoded, label_ids):
        """Scores of given labels, as if they were candidates; 0 for -1."""
        found = self._search_scores(encoded)
        rows = tf.maximum(label_ids, 0)
        logits, cosines = self._logits_and_cosines(
            encoded, rows, tf.gather(found, rows, batch_dims=1)
        )
        if self._by_logits:
            scores = tf.sigmoid(logits)
        else:
            _, *among = self._candidates(encoded, found)
            scores = score_candidates(logits, cosines, self._beta, among)
        scores = tf.where(label_ids < 0, 0.0, scores)
        if self._model.calibration is None:
            return scores
        _, best = self._rank(encoded, found)
        return self._model.calibration.apply(label_ids, scores, best)

    def _candidates(self, encoded, found=None):
        """Label ids, logits and cosines (block, candidates) of the candidates."""
        if found is None:
            found = self._search_scores(encoded)
        found, ids = tf.math.top_k(found, self._model.num_candidates)
        return ids, *self._logits_and_cosines(encoded, ids, found)

    def _search_scores(self, encoded):
        """Search scores (block, num_labels) of all labels."""
        features, words, linear = encoded
        if self._model.candidates_from == "embeddings":
            return tf.matmul(normalize_rows(features), self.searched.columns())
        found = tf.matmul(features, self.searched.columns()) + self._label_bias
        if words is not None:
            found += self._words.searched_logits(words)
        return found if linear is None else found + linear

    def _logits_and_cosines(self, encoded, ids, found):
        """Logits and cosines of labels (block, n), one of which is `found`.

        The cosines are meaningless with `_by_logits`.
        """
        features, words, _ = encoded
        logits = cosines = found
        if self._gathered is not None:
            rows = tf.gather(self._gathered, ids)
            rows = tf.cast(rows, tf.float32)  # (block, n, dim)
            if self._model.candidates_from == "embeddings":
                bias = tf.gather(self._label_bias, ids)
                logits = tf.linalg.matvec(rows, features) + bias
            else:
                cosines = tf.linalg.matvec(rows, normalize_rows(features))
        if words is not None:
            logits += self._words.logits(words, ids)
        return logits, cosines


def sum_weighted(table, ids, weights):
    """Weighted sums (batch, dim) of rows, from ragged ids; reads each row once."""
    pool, places = tf.unique(ids.values)
    rows = tf.cast(tf.gather(table, pool), tf.float32)
    bag = tf.SparseTensor(
        tf.stack([ids.value_rowids(), tf.cast(places, tf.int64)], axis=1),
        weights.values,
        tf.stack([ids.nrows(), tf.size(pool, tf.int64)]),
    )  # (batch, pool)
    return tf.sparse.sparse_dense_matmul(bag, rows)
