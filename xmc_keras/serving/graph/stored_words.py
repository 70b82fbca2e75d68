"""The words of labels, as tables of a graph."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf


class WordsOfBlock(NamedTuple):
    """The words of a block of documents, as `StoredWords.of_block` makes them."""

    ids: tf.Tensor  # (words,) int32, of all documents, one after the other
    rows: tf.Tensor  # (words,) int32, the document of each
    gained: tf.Tensor  # (words,), weights times gains
    size: tf.Tensor  # documents
    every: tf.Tensor  # (size * (num_features + 1),), the same of all words there are


class StoredWords:
    """What the words of labels add to their logits, from tables stored as asked.

    Takes the place of a `LabelWords`, by ops that any server has. Where all labels are
    searched by their heaviest words, these are stored the other way round: the labels
    of a word, one word's after the other's, so that a document reads those of its own
    words, a few thousand of the hundreds of thousands that there are. The other words
    of a label, or all where only candidates are scored, are its row of a table.

    Args:
        lexical: a built `LabelWords`.
        table: `"float32"` or `"float16"`. How weights are stored; what is read of them
            is turned into float32.
        searched: bool. Whether all labels are searched by their heaviest words.

    Attributes:
        variables: list of `tf.Variable`, to save.

    Example:

    >>> from xmc_keras.lightdxml.label_words import LabelWords
    >>> layer = LabelWords(num_labels=2, num_features=3, coarse_words=1)
    >>> layer.build()
    >>> layer.refresh(np.eye(3), np.array([[1, 0], [1, 0], [0, 1]]))
    >>> stored = StoredWords(layer, "float16", searched=True)
    >>> document = tf.ragged.constant([[0, 2]]), tf.ragged.constant([[0.6, 0.8]])
    >>> words = stored.of_block(*document)
    >>> searched = stored.searched_logits(words)
    >>> searched.numpy().round(1).tolist()
    [[2.5, 4.8...]]
    >>> stored.logits(words, tf.constant([[1, 0]])).numpy().round(1).tolist()
    [[0.0, 0.0]]
    """

    def __init__(self, lexical, table, searched):
        self.variables = []
        self._num_labels = lexical.num_labels
        self._width = lexical.num_features + 1  # 0 is a pad
        ids, weights = lexical.word_ids.numpy(), lexical.word_weights.numpy()
        # With the scale in them, which is one number.
        self._gains = self._stored(lexical.gains.numpy()[:, 0] * lexical.scale.numpy())
        first = 0
        if searched:
            first = lexical.coarse_words
            labels, ranks = np.nonzero(ids[:, :first] >= 0)
            words = ids[labels, ranks]
            order = np.argsort(words, kind="stable")
            counts = np.bincount(words, minlength=lexical.num_features)
            self._starts = self._stored(np.cumsum([0, *counts]).astype(np.int32))
            self._labels = self._stored(labels[order].astype(np.int32))
            weights_of_words = weights[labels, ranks][order]
            self._weights_of_words = self._stored(weights_of_words.astype(table))
        self._has_rows = first < ids.shape[1]
        if self._has_rows:
            self._ids = self._stored(ids[:, first:] + 1)
            self._weights = self._stored(weights[:, first:].astype(table))

    def _stored(self, values):
        variable = tf.Variable(values, trainable=False)
        self.variables.append(variable)
        return variable

    def of_block(self, ids, weights):
        """The words of a block of documents, which the other methods take.

        Args:
            ids: `tf.RaggedTensor` int32 (block, None). A word that a document lists
                twice has the sum of its weights.
            weights: `tf.RaggedTensor` float32 of the same splits.
        """
        rows, size = tf.cast(ids.value_rowids(), tf.int32), ids.nrows(tf.int32)
        ids = ids.values
        gained = weights.values * tf.gather(self._gains, ids)
        every = tf.math.unsorted_segment_sum(
            gained, rows * self._width + ids + 1, size * self._width
        )
        return WordsOfBlock(ids, rows, gained, size, every)

    def searched_logits(self, words):
        """Logits (block, num_labels) of all labels by their heaviest words."""
        found = tf.ragged.range(
            tf.gather(self._starts, words.ids),
            tf.gather(self._starts, words.ids + 1),
            row_splits_dtype=tf.int32,
        )
        places = found.values
        # The word of each place: as many have ended before it.
        word = tf.cumsum(
            tf.raw_ops.DenseBincount(
                input=found.row_splits[1:],
                size=tf.size(places),  # beyond that nothing is counted
                weights=tf.zeros([0], tf.int32),
            )
        )
        weights = tf.cast(tf.gather(self._weights_of_words, places), tf.float32)
        labels = tf.gather(words.rows, word) * self._num_labels
        labels += tf.gather(self._labels, places)
        weights *= tf.gather(words.gained, word)
        logits = tf.math.unsorted_segment_sum(
            weights, labels, words.size * self._num_labels
        )
        return tf.reshape(logits, [words.size, self._num_labels])

    def logits(self, words, label_ids):
        """Logits (block, n) of labels by the words that the search does not know.

        Args:
            words: `WordsOfBlock`.
            label_ids: int32 tensor (block, n), none of them a pad.
        """
        if not self._has_rows:
            return 0.0
        ids = tf.gather(self._ids, label_ids)  # (block, n, words)
        ids += (tf.range(words.size) * self._width)[:, None, None]
        weights = tf.cast(tf.gather(self._weights, label_ids), tf.float32)
        return tf.reduce_sum(weights * tf.gather(words.every, ids), axis=-1)
