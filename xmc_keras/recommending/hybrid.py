"""A transformer and a model of words, joined."""

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.recommending.rank_together import rank_together
from xmc_keras.recommending.recommender import Recommender

LEAST = 1e-7  # distance of a score from 0 and 1, so that it has a logit


@keras.saving.register_keras_serializable(package="xmc_keras")
class Hybrid(Recommender):
    """A transformer and a model of words, whose logits are added label by label.

    A transformer knows what a text means, and words know the names in it. Each offers
    its best labels, both score all that are offered, and the logit of a label is the
    logit of the transformer's score, times the label's weight, plus that of the words.
    Only prediction is joined: the members are trained before.

    The input is a dictionary of the transformer's, with `word_ids` (batch, n) int32,
    padded with `-1`, and `word_weights` (batch, n), the words of a `LightDXML`. As from
    other models, the output has `predicted_ids` (batch, num_predictions) int32, best
    first, and `scores` of the same shape, float32 probabilities.

    Args:
        transformer: a model of texts, such as a `LightXML` or `OneVsAll`.
        words: a `LightDXML` over words, of the same labels.
        **kwargs: other arguments of `keras.Model`.

    Attributes:
        label_weights: variable (num_labels,) float32. Weights of the transformer's
            logits, ones at first; see `join_words`.

    Example:

    >>> import numpy as np
    >>> from xmc_keras import LightDXML, OneVsAll, OneVsAllHead, SparseTextEncoder
    >>> first = OneVsAll(SparseTextEncoder(num_features=50, dim=4), OneVsAllHead(3))
    >>> words = LightDXML(SparseTextEncoder(num_features=9, dim=4), num_labels=3,
    ...     candidates_from="classifier", beta=1)
    >>> model = Hybrid(first, words)
    >>> x = {"token_ids": np.array([[7, 3]], "int32"),
    ...      "token_weights": np.array([[0.6, 0.8]], "float32"),
    ...      "word_ids": np.array([[1]], "int32"),
    ...      "word_weights": np.array([[1.0]], "float32")}
    >>> model.predict(x, verbose=0)["predicted_ids"].shape
    (1, 3)
    """

    def __init__(self, transformer, words, **kwargs):
        super().__init__(**kwargs)
        self.transformer = transformer
        self.words = words
        self.num_predictions = min(transformer.num_predictions, words.num_predictions)
        self.label_weights = self.add_weight(
            shape=(words.num_labels,),
            initializer="ones",
            trainable=False,
            dtype="float32",
            autocast=False,
            name="label_weights",
        )

    # What other models have, too.
    system = property(lambda self: self.transformer.system)
    encoder = property(lambda self: self.transformer.encoder)
    tokenizer = property(lambda self: self.transformer.tokenizer)
    max_tokens = property(lambda self: self.transformer.max_tokens)
    label_set = property(lambda self: self.transformer.label_set)
    vectorizer = property(lambda self: self.words.vectorizer)

    @property
    def num_candidates(self):
        return self.words.num_labels

    def build(self, inputs_shape):
        names = {"word_ids": "token_ids", "word_weights": "token_weights"}
        of_words = {own: inputs_shape[name] for name, own in names.items()}
        of_text = {k: v for k, v in inputs_shape.items() if k not in names}
        for member, shapes in ((self.transformer, of_text), (self.words, of_words)):
            if not member.built:
                member.build(shapes)
        self.built = True

    def call(self, inputs, training=None):
        return self.rank(*self.encode(inputs))

    def read_words(self, inputs):
        """What the words' model makes of its inputs, see `encode`."""
        return self.words.encode(
            {"token_ids": inputs["word_ids"], "token_weights": inputs["word_weights"]}
        )

    def encode(self, inputs):
        texts = {k: v for k, v in inputs.items() if not k.startswith("word_")}
        return *self.transformer.encode(texts), self.read_words(inputs)

    def rank(self, features, words):
        """Computes the outputs of `call` from the results of `encode`."""
        offered = [
            member.rank(*encoded)["predicted_ids"]
            for member, encoded in (
                (self.transformer, (features,)),
                (self.words, words),
            )
        ]
        predicted_ids, scores = rank_together(
            offered,
            lambda label_ids: self._join(label_ids, features, words),
            min(part.shape[1] for part in offered),
        )
        return self.calibrate({"predicted_ids": predicted_ids, "scores": scores})

    def score_labels(self, label_ids, features, words):
        """Scores (batch, n) of given labels (batch, n), 0 for -1."""
        scores = self._join(label_ids, features, words)
        return self.calibrate_scores(label_ids, scores, features, words)

    def _join(self, label_ids, features, words):
        return self.join_scores(
            label_ids,
            self.transformer.score_labels(label_ids, features),
            self.words.score_labels(label_ids, *words),
        )

    def join_scores(self, label_ids, of_transformer, of_words):
        """Scores (batch, n) of labels (batch, n) from those of both members."""
        weights = tf.gather(self.label_weights.value, ops.maximum(label_ids, 0))
        logits = weights * find_logits(of_transformer) + find_logits(of_words)
        return ops.where(label_ids < 0, 0.0, ops.sigmoid(logits))

    def select_labels(self, places, names):
        """A copy with some of the labels: the members' copies, and their weights."""
        members = [
            m.select_labels(places, names) for m in (self.transformer, self.words)
        ]
        return self._copy_with(*members, self.label_weights.numpy()[places])

    def extend_labels(self, examples):
        """A copy with new labels, see `change_hybrid`."""
        from xmc_keras.recommending.label_changes.change_hybrid import extend_members

        *members, weights = extend_members(self, examples)
        return self._copy_with(*members, weights)

    def correct_labels(self, corrections):
        """A copy that is right on documents: its words are corrected, see `learn`."""
        from xmc_keras.recommending.label_changes.change_hybrid import correct_words

        words = correct_words(self, corrections)
        return self._copy_with(self.transformer, words, self.label_weights.numpy())

    def _copy_with(self, transformer, words, label_weights):
        """A `Hybrid` of other members with the same inputs."""
        copy = type(self)(transformer, words, name=self.name)
        copy.built = True
        copy.label_weights.assign(label_weights)
        return copy

    # The members save their labels and words.
    saves_labels = False

    def get_config(self):
        config = super().get_config()
        for name in ("transformer", "words"):
            config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("transformer", "words"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)


def find_logits(scores):
    """Logits of scores, a float32 tensor, which are kept `LEAST` away from 0 and 1.

    >>> find_logits(tf.constant([0.5, 0.0])).numpy().round(2).tolist()
    [0.0, -16.12...]
    """
    scores = ops.clip(ops.convert_to_tensor(scores, "float32"), LEAST, 1 - LEAST)
    # TensorFlow Serving may not know Log1p.
    return ops.log(scores) - ops.log(1 - scores)
