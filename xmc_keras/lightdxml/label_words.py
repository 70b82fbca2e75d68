"""What the words of a label's documents add to its logit."""

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.lightdxml.document_words import DocumentWords, find_top_words
from xmc_keras.ops.xla import in_xla

# A sum of rows of norm 1 that is shorter than this is that of no row.
NOTHING = 1e-2


@keras.saving.register_keras_serializable(package="xmc_keras")
class LabelWords(keras.layers.Layer):
    """Scaled cosine of a document with the sum of a label's documents, word by word.

    An addition to LightDXML: a label of three documents has little to learn from, but
    which words these documents have is known without learning. A label keeps its
    heaviest words alone. What a word counts in the cosine, its gain, is learnt, for all
    labels together; TF-IDF is where that begins.

    Takes a dictionary of `token_ids` (batch, n) int32, `-1` pads, and `token_weights`
    (batch, n) float32, rows of norm 1, and label ids (batch, m) int32, `-1` pads, or
    (pool,), the same for all documents; returns logits to be added, (batch, m) or
    (batch, pool) float32, 0 at pads. Trained are `scale` and `gains`, of which a step
    touches the words of a batch; `refresh` sets the words of labels.

    A step of training has to use `left_out` for positives: the document is in the sums
    of its labels, and a label of few documents would learn to expect itself.

    Args:
        num_labels: int.
        num_features: int. Words that there are.
        num_words: int. Words of a label. Defaults to `64`.
        coarse_words: int. The heaviest of them, by which candidates are searched among
            all labels. Defaults to `8`.
        initial_scale: float. What a cosine counts before training. Defaults to `6`.
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
        """Takes the words of documents (documents, num_features) and their labels in.

        Both sparse matrices; the second (documents, num_labels).
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
        """The `DocumentWords` of a batch, which the other methods take."""
        ids, weights = inputs["token_ids"], inputs["token_weights"]
        return DocumentWords(ids, weights, self.num_features, self.gains.value)

    def cosines(self, words, label_ids, first=0):
        """Cosines of own labels (batch, m), or of the same (pool,) for all documents.

        Args:
            words: `DocumentWords`.
            label_ids: int32 tensor, `-1` pads.
            first: int. Words that are left out, the heaviest: what `coarse` lacks.
        """
        label_ids = ops.cast(label_ids, "int32")
        if len(label_ids.shape) == 1:
            return words.products(
                tf.gather(self.word_ids.value, label_ids)[:, first:],
                tf.gather(self.word_weights.value, label_ids)[:, first:],
            )
        places, documents, rows = pairs(label_ids)
        found = words.gains(documents, tf.gather(self.word_ids.value, rows)[:, first:])
        found *= tf.gather(self.word_weights.value, rows)[:, first:]
        return place_words(tf.reduce_sum(found, axis=1), places, label_ids)

    def coarse(self, words, start=0, end=None):
        """Cosines (batch, end - start) of the labels in between by `coarse_words`."""
        columns = slice(start, end), slice(self.coarse_words)
        return words.products(
            self.word_ids.value[columns], self.word_weights.value[columns]
        )

    def left_out(self, words, label_ids):
        """Cosines (batch, m) with sums that the document is taken out of.

        For labels that the document is among the documents of, as `refresh` had them;
        `-1` pads, whose cosine is 0. With the words `x` of the document that the label
        keeps, and the sum `s`: `g x (s - x) / |s - x|`, 0 where nothing is left; `g`
        are the gains.
        """
        label_ids = ops.cast(label_ids, "int32")
        places, documents, rows = pairs(label_ids)
        ids = tf.gather(self.word_ids.value, rows)  # (pairs, words)
        found, gained = (
            words.weights_of(documents, ids),
            words.gains(documents, ids),
        )
        lengths = tf.gather(self.lengths.value, rows)
        sums = tf.gather(self.word_weights.value, rows) * lengths[:, None]
        squares = lengths**2 - tf.reduce_sum(found * (2 * sums - found), axis=1)
        rest = ops.sqrt(ops.maximum(squares, NOTHING**2))
        cosines = tf.reduce_sum(gained * (sums - found), axis=1) / rest
        return place_words(ops.where(rest > NOTHING, cosines, 0.0), places, label_ids)

    def compute_output_shape(self, inputs_shape, label_ids_shape):
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
    """Pairs of a document and one of its labels (batch, m): each one's place among
    all of them, its document and its label. Without XLA, which knows no shape but that
    of all pairs, pads are left out."""
    flat = tf.reshape(label_ids, [-1])
    places = tf.range(tf.size(flat))
    if not in_xla():
        places = tf.boolean_mask(places, flat >= 0)
        flat = tf.gather(flat, places)
    documents = places // ops.maximum(tf.shape(label_ids)[1], 1)
    return places, documents, ops.maximum(flat, 0)


def place_words(values, places, label_ids):
    """Values of pairs as (batch, m), 0 at pads."""
    shape = tf.shape(label_ids)
    values = tf.scatter_nd(places[:, None], values, [shape[0] * shape[1]])
    return ops.where(label_ids < 0, 0.0, tf.reshape(values, shape))
