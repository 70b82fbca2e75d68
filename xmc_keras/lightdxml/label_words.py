"""Logits from the words of each label's documents."""

import keras
import numpy as np
import scipy.sparse
import tensorflow as tf
from keras import ops

from xmc_keras.lightdxml.document_words import DocumentWords, find_top_words
from xmc_keras.ops.xla import in_xla

# A sum of rows of norm 1 that is shorter than this is a sum of no rows.
NOTHING = 1e-2


@keras.saving.register_keras_serializable(package="xmc_keras")
class LabelWords(keras.layers.Layer):
    """Scaled cosine between a document and the sum of each label's documents.

    An addition to LightDXML: a label with three documents has little to learn from,
    but the words of these documents are known without learning. Each label keeps only
    its heaviest words. The gain of a word, its weight in the cosine, is learnt for all
    labels together, starting from TF-IDF.

    Takes a dictionary of `token_ids` (batch, n) int32, padded with `-1`, and
    `token_weights` (batch, n) float32, rows of norm 1, and label ids (batch, m) int32,
    padded with `-1`, or (pool,), the same for all documents. Returns logits to be
    added, (batch, m) or (batch, pool) float32, 0 at pads. `scale` and `gains` are
    trained; a step updates the gains of the words of its batch. `refresh` sets the
    words of labels.

    A training step must use `left_out` for positives: the document is part of the sums
    of its labels, and a label with few documents would learn to expect the document
    itself.

    Args:
        num_labels: int.
        num_features: int. Number of words.
        num_words: int. Words per label. Defaults to `64`.
        coarse_words: int. How many of them, the heaviest, are used to search all labels
            for candidates. Defaults to `8`.
        initial_scale: float. Factor of the cosine before training. Defaults to `6`.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> layer = LabelWords(num_labels=2, num_features=3)
    >>> layer.build(None)
    >>> layer.refresh(np.eye(3), np.array([[1, 0], [1, 0], [0, 1]]))
    >>> inputs = {"token_ids": np.array([[1, -1]], "int32"),
    ...           "token_weights": np.array([[1.0, 0.0]], "float32")}
    >>> layer(inputs, np.array([[0, 1]])).numpy().round(2).tolist()
    [[4.2..., 0.0]]

    Reference: the sums are the label features of
        [AttentionXML](https://arxiv.org/abs/1811.01727), section 3.2 (PIFA).
    """

    def __init__(
        self,
        num_labels,
        num_features,
        num_words=64,
        coarse_words=8,
        initial_scale=6.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if min(num_labels, num_features, num_words, coarse_words) < 1:
            raise ValueError(
                "Expected `num_labels`, `num_features`, `num_words` and "
                f"`coarse_words` to be positive. Received: {num_labels}, "
                f"{num_features}, {num_words}, {coarse_words}"
            )
        self.num_labels = num_labels
        self.num_features = num_features
        self.num_words = num_words
        self.coarse_words = min(coarse_words, num_words)
        self.initial_scale = initial_scale

    def build(self, inputs_shape=None, label_ids_shape=None):
        def table(name, shape, dtype="float32", value=0):
            return self.add_weight(
                shape=shape,
                initializer=keras.initializers.Constant(value),
                dtype=dtype,
                trainable=False,
                autocast=False,
                name=name,
            )

        shape = (self.num_labels, self.num_words)
        self.word_ids = table("word_ids", shape, "int32", -1)
        self.word_weights = table("word_weights", shape)
        self.lengths = table("lengths", (self.num_labels,))
        self.scale = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial_scale),
            dtype="float32",
            autocast=False,
            name="scale",
        )
        self.gains = self.add_weight(
            shape=(self.num_features, 1),
            initializer="ones",
            dtype="float32",
            autocast=False,
            name="gains",
        )
        self.built = True

    def refresh(self, features, label_matrix):
        """Sets each label's words from the documents.

        Args:
            features: sparse matrix (documents, num_features).
            label_matrix: sparse matrix (documents, num_labels).
        """
        shapes = features.shape[1], label_matrix.shape[1]
        if shapes != (self.num_features, self.num_labels):
            raise ValueError(
                f"Expected {self.num_features} features and {self.num_labels} labels. "
                f"Received: {shapes[0]} and {shapes[1]}"
            )
        tables = self.word_ids, self.word_weights, self.lengths
        for table, value in zip(
            tables, find_top_words(features, label_matrix, self.num_words)
        ):
            table.assign(value)

    def call(self, inputs, label_ids):
        return self.scale * self.cosines(self.words(inputs), label_ids)

    def words(self, inputs):
        """The `DocumentWords` of a batch, an argument of the other methods."""
        ids, weights = inputs["token_ids"], inputs["token_weights"]
        return DocumentWords(ids, weights, self.num_features, self.gains.value)

    def cosines(self, words, label_ids, first=0):
        """Cosines of the documents with labels, without scale.

        Args:
            words: `DocumentWords`.
            label_ids: int32 tensor (batch, m), padded with `-1`, or (pool,), the same
                for all documents.
            first: int. How many of the heaviest words to skip, to add to `coarse`.
                Defaults to `0`.
        """
        label_ids = ops.cast(label_ids, "int32")
        if len(label_ids.shape) == 1:
            return words.products(
                tf.gather(self.word_ids.value, label_ids)[:, first:],
                tf.gather(self.word_weights.value, label_ids)[:, first:],
            )
        places, documents, rows = pairs(label_ids)
        terms = words.gains(documents, tf.gather(self.word_ids.value, rows)[:, first:])
        terms *= tf.gather(self.word_weights.value, rows)[:, first:]
        return place_words(tf.reduce_sum(terms, axis=1), places, label_ids)

    def coarse(self, words, start=0, end=None):
        """Cosines (batch, end - start) with labels `start` to `end`, by few words.

        Only the `coarse_words` heaviest words of each label count.
        """
        columns = slice(start, end), slice(self.coarse_words)
        return words.products(
            self.word_ids.value[columns], self.word_weights.value[columns]
        )

    def left_out(self, words, label_ids):
        """Cosines (batch, m) with the sums of labels' other documents.

        For labels whose documents, as given to `refresh`, include the document itself.
        Label ids are padded with `-1`, whose cosine is 0. With `x` the words of the
        document that the label keeps, `s` the sum and `g` the gains it is
        `g x (s - x) / |s - x|`, 0 if nothing is left.
        """
        label_ids = ops.cast(label_ids, "int32")
        places, documents, rows = pairs(label_ids)
        ids = tf.gather(self.word_ids.value, rows)  # (pairs, words)
        own = words.weights_of(documents, ids)
        gained = words.gains(documents, ids)
        lengths = tf.gather(self.lengths.value, rows)
        sums = tf.gather(self.word_weights.value, rows) * lengths[:, None]
        squares = lengths**2 - tf.reduce_sum(own * (2 * sums - own), axis=1)
        rest = ops.sqrt(ops.maximum(squares, NOTHING**2))
        cosines = tf.reduce_sum(gained * (sums - own), axis=1) / rest
        return place_words(ops.where(rest > NOTHING, cosines, 0.0), places, label_ids)

    def sparse_rows(self, num_words=None):
        """The heaviest `num_words` words of each label as a sparse matrix.

        Returns:
            csr matrix float32 (num_labels, num_features), without gains and scale.
        """
        ids, weights = self.word_ids.numpy(), self.word_weights.numpy()
        labels, ranks = np.nonzero(ids[:, :num_words] >= 0)
        arrays = weights[labels, ranks], (labels, ids[labels, ranks])
        shape = self.num_labels, self.num_features
        return scipy.sparse.csr_matrix(arrays, shape, np.float32)

    def compute_output_shape(self, inputs_shape=None, label_ids_shape=None):
        if label_ids_shape is None:  # its weights need no shape of the inputs
            return (None, None)
        return (inputs_shape["token_ids"][0], label_ids_shape[-1])

    def compute_output_spec(self, inputs, label_ids):
        shape = inputs["token_ids"].shape[0], label_ids.shape[-1]
        return keras.KerasTensor(shape, "float32")

    def get_config(self):
        config = super().get_config()
        for name in "num_labels num_features num_words coarse_words".split():
            config[name] = getattr(self, name)
        config["initial_scale"] = self.initial_scale
        return config


def pairs(label_ids):
    """Pairs of a document and one of its labels (batch, m), as three flat tensors.

    Returns the position of each pair in the flattened `label_ids`, its document and its
    label. Pads are left out, except under XLA, which needs static shapes.
    """
    flat = tf.reshape(label_ids, [-1])
    places = tf.range(tf.size(flat))
    if not in_xla():
        places = tf.boolean_mask(places, flat >= 0)
        flat = tf.gather(flat, places)
    documents = places // ops.maximum(tf.shape(label_ids)[1], 1)
    return places, documents, ops.maximum(flat, 0)


def place_words(values, places, label_ids):
    """Arranges the values of pairs as (batch, m), 0 at pads."""
    shape = tf.shape(label_ids)
    values = tf.scatter_nd(places[:, None], values, [shape[0] * shape[1]])
    return ops.where(label_ids < 0, 0.0, tf.reshape(values, shape))
