"""A Hybrid in a ServingModule."""

from xmc_keras.recommending.rank_together import rank_together


class HybridMember:
    """A `Hybrid` of an ensemble, with its weights in given dtypes.

    Args:
        model: a built `Hybrid` that computes in float32.
        members: list of the members for its transformer and its words, in this order.

    Attributes:
        weights: list of `tf.Variable` to save.
        halves: list of pairs of a Keras variable and its float16 form.
        searched: list of the `SearchedTable` of the members.
    """

    def __init__(self, model, members):
        self._model = model
        self._transformer, self._words = members
        self.text_tokenizer = self._transformer.text_tokenizer
        self.feature_dim = self._transformer.feature_dim
        self.weights = [model.label_weights.value]
        self.halves, self.searched = [], []
        for member in members:
            self.weights += member.weights
            self.halves += member.halves
            self.searched += [member.searched] if hasattr(member, "searched") else []

    def read(self, documents):
        # The transformer has one tensor: all others are the words'.
        return [*self._transformer.read(documents), *self._words.read(documents)]

    def inputs(self, tokens, rows):
        return (
            self._transformer.inputs(tokens[:1], rows),
            self._words.inputs(tokens[1:], rows),
        )

    def features(self, inputs):
        """The transformer's features."""
        return self._transformer.features(inputs[0])

    def encode(self, inputs):
        """Input of `rank` and `label_scores`, of both members."""
        return self._transformer.encode(inputs[0]), self._words.encode(inputs[1])

    def rank(self, encoded):
        label_ids, scores = self._rank(encoded)
        return label_ids, self._model.calibrate_ranked(label_ids, scores)

    def _rank(self, encoded):
        """Labels and scores before calibration."""
        pairs = zip((self._transformer, self._words), encoded)
        offered = [member.rank(own)[0] for member, own in pairs]
        return rank_together(
            offered,
            lambda label_ids: self._join(encoded, label_ids),
            min(part.shape[1] for part in offered),
        )

    def label_scores(self, encoded, label_ids):
        """Scores of given labels; 0 for -1."""
        scores = self._join(encoded, label_ids)
        if self._model.calibration is None:
            return scores
        _, best = self._rank(encoded)
        return self._model.calibration.apply(label_ids, scores, best)

    def _join(self, encoded, label_ids):
        of_transformer, of_words = encoded
        return self._model.join_scores(
            label_ids,
            self._transformer.label_scores(of_transformer, label_ids),
            self._words.label_scores(of_words, label_ids),
        )
