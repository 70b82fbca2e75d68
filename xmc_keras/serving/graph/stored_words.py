"""Words of labels, as tables in a graph."""

from typing import NamedTuple

import tensorflow as tf

from xmc_keras.ops.postings import invert_rows, sum_postings


class BlockWords(NamedTuple):
    """Words of a block of documents, made by `StoredWords.prepare_block`."""

    ids: tf.Tensor  # (words,) int32, of all documents, concatenated
    rows: tf.Tensor  # (words,) int32, the document of each word
    values: tf.Tensor  # (words,), weights times gains
    size: tf.Tensor  # number of documents
    dense: tf.Tensor  # (size * (num_features + 1),), values of the whole vocabulary


class StoredWords:
    """Logits of labels from their words, with tables in a given dtype.

    It replaces a `LabelWords`, with ops that every server has. If all labels are
    searched by their heaviest words, these are stored as an inverted index: the labels
    of each word, concatenated, so that a document reads only the entries of its own
    words, a few thousand out of hundreds of thousands. The other words of a label, or
    all its words if only candidates are scored, are its row of a table.

    Args:
        lexical: a built `LabelWords`.
        table_dtype: `"float32"` or `"float16"`. dtype of the stored weights; weights
            that are read are converted to float32.
        searched: bool. Whether all labels are searched by their heaviest words.

    Attributes:
        variables: list of `tf.Variable` to save.

    Example:

    >>> import numpy as np
    >>> from xmc_keras.lightdxml.label_words import LabelWords
    >>> layer = LabelWords(num_labels=2, num_features=3, coarse_words=1)
    >>> layer.build()
    >>> layer.refresh(np.eye(3), np.array([[1, 0], [1, 0], [0, 1]]))
    >>> stored = StoredWords(layer, "float16", searched=True)
    >>> document = tf.ragged.constant([[0, 2]]), tf.ragged.constant([[0.6, 0.8]])
    >>> words = stored.prepare_block(*document)
    >>> searched = stored.searched_logits(words)
    >>> searched.numpy().round(1).tolist()
    [[2.5, 4.8...]]
    >>> stored.logits(words, tf.constant([[1, 0]])).numpy().round(1).tolist()
    [[0.0, 0.0]]
    """

    def __init__(self, lexical, table_dtype, searched):
        self.variables = []
        self._num_labels = lexical.num_labels
        self._width = lexical.num_features + 1  # 0 is a pad
        ids, weights = lexical.word_ids.numpy(), lexical.word_weights.numpy()
        # The scale, a single number, is multiplied into them.
        self._gains = self._add_variable(
            lexical.gains.numpy()[:, 0] * lexical.scale.numpy()
        )
        first = 0
        if searched:
            first = lexical.coarse_words
            rows = lexical.sparse_rows(first)
            parts = invert_rows(rows, table_dtype)
            self._starts, self._labels, self._word_weights = map(
                self._add_variable, parts
            )
        self._has_rows = first < ids.shape[1]
        if self._has_rows:
            self._ids = self._add_variable(ids[:, first:] + 1)
            self._weights = self._add_variable(weights[:, first:].astype(table_dtype))

    def _add_variable(self, values):
        variable = tf.Variable(values, trainable=False)
        self.variables.append(variable)
        return variable

    def prepare_block(self, ids, weights):
        """Prepares a block of documents for the other methods.

        Args:
            ids: `tf.RaggedTensor` int32 (block, None). The weights of a word that a
                document lists twice are summed.
            weights: `tf.RaggedTensor` float32 with the same splits.
        """
        rows, size = tf.cast(ids.value_rowids(), tf.int32), ids.nrows(tf.int32)
        ids = ids.values
        values = weights.values * tf.gather(self._gains, ids)
        dense = tf.math.unsorted_segment_sum(
            values, rows * self._width + ids + 1, size * self._width
        )
        return BlockWords(ids, rows, values, size, dense)

    def searched_logits(self, words):
        """Logits (block, num_labels) of all labels from their heaviest words."""
        postings = self._starts, self._labels, self._word_weights
        return sum_postings(
            postings, self._num_labels, words.ids, words.rows, words.values, words.size
        )

    def logits(self, words, label_ids):
        """Logits (block, n) of labels from the words that the search leaves out.

        Args:
            words: `BlockWords`.
            label_ids: int32 tensor (block, n), without pads.
        """
        if not self._has_rows:
            return 0.0
        ids = tf.gather(self._ids, label_ids)  # (block, n, words)
        ids += (tf.range(words.size) * self._width)[:, None, None]
        weights = tf.cast(tf.gather(self._weights, label_ids), tf.float32)
        return tf.reduce_sum(weights * tf.gather(words.dense, ids), axis=-1)
