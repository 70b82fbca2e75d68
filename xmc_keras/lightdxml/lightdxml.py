"""The LightDXML model."""

from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.encoders import multi_layer_cls_encoder, sparse_text_encoder  # noqa: F401
from xmc_keras.labels.label_set import LabelSet

# The classes of a saved model must be imported before Keras can load it.
from xmc_keras.lightdxml import label_words  # noqa: F401
from xmc_keras.lightdxml.document_words import DocumentWords
from xmc_keras.lightdxml.loss import summed_cross_entropy
from xmc_keras.lightdxml.nearest_labels import NearestLabels
from xmc_keras.lightdxml.scores import fuse_scores, score_candidates
from xmc_keras.lightdxml.shortlist_classifier import ShortlistClassifier
from xmc_keras.lightdxml.shortlist_logits import (
    sample_positives,
    shared_logits,
    shortlist_logits,
)
from xmc_keras.metrics import precision_at_k  # noqa: F401
from xmc_keras.one_vs_all import sparse_one_vs_all  # noqa: F401
from xmc_keras.ops.distribution.replicas import count_documents, loss_share
from xmc_keras.optimizers import rowwise_adamw, warmup_decay  # noqa: F401
from xmc_keras.recommending.recommender import Recommender

MEMBERS = ("encoder", "lexical", "linear", "tokenizer")


class BatchWords(NamedTuple):
    """The words of a batch, as `LightDXML.read_words` returns them."""

    lexical: DocumentWords | None
    linear: tf.Tensor | None  # logits (batch, num_labels)


@keras.saving.register_keras_serializable(package="xmc_keras")
class LightDXML(Recommender):
    """Extreme multi-label text classifier: shortlists nearest labels, scores them.

    In training the classifier learns from the positives of a document and from a
    shortlist of labels whose embeddings are nearest to it. In prediction the labels
    with the nearest embeddings are the candidates, scored by the classifier and by
    their cosine. The label embeddings are computed from the features of each label's
    documents (`train_label_proxy`), not by a gradient of this model: see `refresh`.

    The input is the encoder's dictionary. For training it also contains `label_ids`
    (batch, positives) int32, the true labels, padded with `-1`, which are the target
    `y` too, and `shortlist` (batch, n) int32, label ids padded with `-1`, without
    positives. `predict` returns `predicted_ids` (documents, num_predictions) int32,
    best first, and `scores` of the same shape, float32 in [0, 1]. `call` returns both
    too, unless in training.

    Args:
        encoder: layer. Maps the input dictionary to features (batch, dim), for
            example a `SparseTextEncoder` or a `MultiLayerCLSEncoder`.
        num_labels: int.
        num_candidates: int. Labels scored in prediction. Defaults to `400`.
        candidates_from: `"embeddings"` as published: the nearest label embeddings; or
            `"classifier"`: the labels that the classifier scores highest among all.
            Defaults to `"embeddings"`.
        beta: float. Weight of the classifier in a score, between 0 and 1. Stored as a
            weight of the model that can be assigned later. Defaults to `0.75`.
        max_positives: optional int. Maximum number of positives per document in a
            training step, a new sample in each step; `None` uses all, as does
            `shared_negatives`. Defaults to `20`.
        shared_negatives: bool. `True` scores each document of a batch against the
            positives and shortlists of all documents: more negatives at the cost of
            the same rows. Published as `False`. Defaults to `False`.
        random_negatives: int. Additional labels drawn at random for each batch; only
            with `shared_negatives`. Defaults to `0`.
        initial_probability: float. See `ShortlistClassifier`. Defaults to `0.5`.
        lexical: optional `LabelWords`, an addition to the published method: its logits
            are added to those of the classifier, in training and in prediction. Only
            for inputs of words.
        linear: optional `SparseOneVsAll`, an addition to the published method: its
            logits are added in prediction, see `join_linear`. Only for inputs of words
            and `candidates_from="classifier"`.
        vectorizer: optional `WordVectorizer`, for `recommend`; saved with the model.
        tokenizer: optional keras-nlp tokenizer, for `recommend` with an encoder of
            subwords; saved with the model.
        max_tokens: int. Maximum number of tokens per text with a `tokenizer`. Defaults
            to `128`.
        label_names: optional list of strings, for `recommend`; saved with the model.
        num_predictions: int. Labels that `predict` returns. Defaults to `100`.
        **kwargs: other arguments of `keras.Model`.

    Example:

    >>> import numpy as np, keras
    >>> from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
    >>> model = LightDXML(SparseTextEncoder(num_features=50, dim=4), num_labels=3)
    >>> model.compile(optimizer="adam")
    >>> x = {"token_ids": np.array([[7, 3], [5, -1]], "int32"),
    ...      "token_weights": np.array([[0.6, 0.8], [1.0, 0.0]], "float32"),
    ...      "label_ids": np.array([[0], [2]], "int32"),
    ...      "shortlist": np.array([[1, 2], [1, -1]], "int32")}
    >>> history = model.fit(x, x["label_ids"], verbose=0)
    >>> model.refresh(np.eye(3, 4, dtype="float32"))
    >>> model.predict(x, verbose=0)["scores"].shape
    (2, 3)

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), algorithm 1.
    """

    system = "lightdxml"

    def __init__(
        self,
        encoder,
        num_labels,
        num_candidates=400,
        candidates_from="embeddings",
        beta=0.75,
        max_positives=20,
        shared_negatives=False,
        random_negatives=0,
        initial_probability=0.5,
        lexical=None,
        linear=None,
        vectorizer=None,
        tokenizer=None,
        max_tokens=128,
        label_names=None,
        num_predictions=100,
        **kwargs,
    ):
        super().__init__(**kwargs)
        sources = ("embeddings", "classifier")
        for valid, name, expected, value in (
            (candidates_from in sources, "candidates_from", sources, candidates_from),
            (0 <= beta <= 1, "beta", "from 0 to 1", beta),
            (
                shared_negatives or not random_negatives,
                "random_negatives",
                "0 without `shared_negatives`",
                random_negatives,
            ),
            (
                linear is None or candidates_from == "classifier",
                "candidates_from",
                '"classifier" with `linear`',
                candidates_from,
            ),
        ):
            if not valid:
                raise ValueError(
                    f"Expected `{name}` {expected}. Received: {name}={value}"
                )
        if label_names is not None and len(label_names) != num_labels:
            raise ValueError(
                "Expected as many `label_names` as labels. Received: "
                f"{len(label_names)} names, {num_labels} labels"
            )
        self.encoder = encoder
        self.num_labels = num_labels
        self.num_candidates = min(num_candidates, num_labels)
        self.candidates_from = candidates_from
        self.first_beta = beta
        self.max_positives = max_positives
        self.shared_negatives = shared_negatives
        self.random_negatives = random_negatives
        self.nearest = NearestLabels(
            num_labels, self.num_candidates, dtype="float32", name="nearest_labels"
        )
        self.classifier = ShortlistClassifier(
            num_labels, initial_probability, name="shortlist_classifier"
        )
        self.lexical = lexical
        self.linear = linear
        self.vectorizer = vectorizer
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        # Wrapped in an object, because Keras tracks each item of a list.
        self.label_set = None if label_names is None else LabelSet(label_names)
        self.num_predictions = num_predictions
        self.random = keras.random.SeedGenerator(name="negatives")

    def build(self, inputs_shape):
        features_shape = self.encoder.compute_output_shape(inputs_shape)
        if not self.encoder.built:
            self.encoder.build(inputs_shape)
        if not self.nearest.built:
            self.nearest.build(features_shape)
        candidates_shape = (features_shape[0], self.num_candidates)
        if not self.classifier.built:
            self.classifier.build(features_shape, candidates_shape)
        if self.lexical is not None and not self.lexical.built:
            self.lexical.build(inputs_shape, candidates_shape)
        if self.linear is not None and not self.linear.built:
            self.linear.build(inputs_shape)
        self.beta = self.add_weight(
            (),
            initializer=keras.initializers.Constant(self.first_beta),
            trainable=False,
            dtype="float32",
            autocast=False,
            name="beta",
        )
        self.built = True

    def refresh(self, label_embeddings):
        """Replaces the label embeddings (num_labels, dim), which may have any norm."""
        self.nearest.refresh(label_embeddings)

    def call(self, inputs, training=None):
        features = self.encoder(inputs, training=training)  # (batch, dim)
        if not training:
            return self.rank(features, self.read_words(inputs))
        if "label_ids" not in inputs or "shortlist" not in inputs:
            raise ValueError(
                "Expected `label_ids` and `shortlist` in the training input. "
                f"Received: {sorted(inputs)}"
            )
        positives = ops.cast(inputs["label_ids"], "int32")
        shortlist = ops.cast(inputs["shortlist"], "int32")
        lexical = None
        if self.lexical is not None:
            lexical = self.lexical, self.lexical.words(inputs)
        if self.shared_negatives:
            random_ids = keras.random.randint(
                (1, self.random_negatives), 0, self.num_labels, seed=self.random
            )
            return shared_logits(
                self.classifier, features, positives, shortlist, random_ids, lexical
            )
        if self.max_positives is not None:
            positives = sample_positives(positives, self.max_positives, self.random)
        return shortlist_logits(
            self.classifier, features, positives, shortlist, lexical
        )

    def read_words(self, inputs):
        """What `rank` and `logits` need of a batch's words; None if nothing."""
        if self.lexical is None and self.linear is None:
            return None
        return BatchWords(
            None if self.lexical is None else self.lexical.words(inputs),
            None if self.linear is None else self.linear(inputs),
        )

    def logits(self, features, label_ids, words=None):
        """Logits (batch, n) float32 of label ids (batch, n) without padding.

        For `words` see `read_words`.
        """
        logits = self.classifier(features, label_ids)
        if self.lexical is not None:
            cosines = self.lexical.cosines(words.lexical, label_ids)
            logits += self.lexical.scale * cosines
        if self.linear is not None:
            logits += tf.gather(words.linear, label_ids, batch_dims=1)
        return logits

    def rank(self, features, words=None):
        """Computes the outputs of `call` in prediction from features (batch, dim).

        For `words` see `read_words`.
        """
        if self.candidates_from == "embeddings":
            candidates, cosines = self.nearest(features)  # (batch, candidates)
            logits = self.logits(features, candidates, words)
        else:
            candidates, logits = self.best(features, words)
            cosines = self.nearest.cosines(features, candidates)
        scores = fuse_scores(logits, cosines, self.beta)
        k = min(self.num_predictions, self.num_candidates)
        best, places = tf.math.top_k(scores, k)
        found = {
            "candidates": candidates,
            "logits": logits,
            "cosines": cosines,
            "predicted_ids": tf.gather(candidates, places, batch_dims=1),
            "scores": best,
        }
        return self.calibrate(found)

    def score_labels(self, label_ids, features, words=None):
        """Scores (batch, n) of given labels (batch, n), 0 for -1.

        They are those of `score_candidates`. For `words` see `read_words`.
        """
        found = self.rank(features, words)
        ids = ops.maximum(label_ids, 0)
        scores = score_candidates(
            self.logits(features, ids, words),
            self.nearest.cosines(features, ids),
            self.beta,
            (found["logits"], found["cosines"]),
        )
        scores = ops.where(label_ids < 0, 0.0, scores)
        return self.calibrate_scores(label_ids, scores, features, words)

    def best(self, features, words=None):
        """The classifier's best labels and their logits, both (batch, candidates)."""
        k, lexical, linear = self.num_candidates, self.lexical, self.linear
        if words is None:
            return self.classifier.best(features, k)

        def more(start, end):
            logits = 0.0
            if lexical is not None:
                logits += lexical.scale * lexical.coarse(words.lexical, start, end)
            if linear is not None:
                logits += words.linear[:, start:end]
            return logits

        candidates, logits = self.classifier.best(features, k, more)
        if lexical is not None:
            # The search used few words of each label: add the rest for the candidates.
            rest = lexical.cosines(words.lexical, candidates, lexical.coarse_words)
            logits += lexical.scale * rest
        return candidates, logits

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        losses = summed_cross_entropy(y_pred, ops.cast(y, "int32"))  # (batch,)
        if sample_weight is not None:
            losses *= ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        share = loss_share(count_documents(y, sample_weight), training)
        return share * (ops.mean(losses) + sum(self.losses))

    def select_labels(self, places, names):
        """A copy with some of the labels, see `change_lightdxml`."""
        from xmc_keras.lightdxml.changes.change_lightdxml import select_labels

        return select_labels(self, places, names)

    def extend_labels(self, examples):
        """A copy with new labels, see `change_lightdxml`."""
        from xmc_keras.lightdxml.changes.change_lightdxml import extend_labels

        return extend_labels(self, examples)

    def correct_labels(self, corrections):
        """A model that is right on documents, see `correct_lightdxml`."""
        from xmc_keras.lightdxml.changes.correct_lightdxml import correct_labels

        return correct_labels(self, corrections)

    def get_config(self):
        config = super().get_config()
        names = "num_labels num_candidates candidates_from max_positives"
        names += " shared_negatives random_negatives max_tokens num_predictions"
        for name in MEMBERS:
            config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        config["train_encoder"] = self.encoder.trainable
        config["beta"] = self.first_beta
        config["initial_probability"] = self.classifier.initial_probability
        for name in names.split():
            config[name] = getattr(self, name)
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in MEMBERS:
            # A model saved by an earlier version has no `linear`.
            config[name] = keras.saving.deserialize_keras_object(config.get(name))
        if not config.pop("train_encoder"):
            # The layers of a frozen encoder are deserialized as trainable.
            for variable in config["encoder"].weights:
                variable.trainable = False
        return cls(**config)

    # Label names and the vectorizer are assets in the `.keras` file.

    def save_assets(self, folder):
        super().save_assets(folder)
        if self.vectorizer is not None:
            self.vectorizer.save(Path(folder) / "vectorizer")

    def load_assets(self, folder):
        super().load_assets(folder)
        path = Path(folder) / "vectorizer"
        if path.exists():
            from xmc_keras.text.word_vectorizer import WordVectorizer

            self.vectorizer = WordVectorizer.load(path)
