"""Judging a LightDXML on the validation split as it will be used."""

import contextlib

import keras
import numpy as np
from keras import ops

from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.labels.label_centroids import compute_centroids
from xmc_keras.lightdxml.log_inclusion import log_inclusion
from xmc_keras.lightdxml.scores import BETAS, parts_function, predict_parts
from xmc_keras.lightdxml.validation_scores import (
    FACTORS,
    SHARES,
    ScoreWeights,
    ValidationScores,
)
from xmc_keras.ops.distribution.workers import Workers

# Of log q where nothing is configured and validation sees no difference: between the
# odds that were learned (0), which rank rare labels too high, and true ones (1).
MIDDLE = 0.5


class Judge(keras.callbacks.Callback):
    """Judges a LightDXML on the validation split as it will be used.

    In training, Keras validates with label embeddings of the beginning of a cycle and
    with logits that nothing corrects yet. At the end of each epoch this callback
    replaces `val_precision_at_k` in the logs by those of the model with the share of
    log q, the scale of label words and `beta` that are best for it, see
    `ValidationScores.choose`; so put it before callbacks that read the logs.

    With `candidates_from: embeddings` each judgement takes the centroids of the labels
    as embeddings, for the price of encoding the training documents. With `classifier`
    it leaves the embeddings out, as `beta` 1 does: it needs one pass over the
    validation documents.

    Args:
        config: a `Config` of `system: lightdxml`.
        model: a built `LightDXML`.
        batches: batches of training documents.
        validation_batches: batches of validation documents, without shuffling.
        relevant: csr matrix (validation documents, labels).

    Attributes:
        log_q: float32 array (labels,), see `log_inclusion`; None without shared
            negatives.
    """

    def __init__(self, config, model, batches, validation_batches, relevant):
        super().__init__()
        self.set_model(model)
        self.config = config
        self.batches = batches
        self.validation_batches = validation_batches
        self.relevant = relevant
        self.log_q = None
        if config.shared_negatives:
            self.log_q = log_inclusion(
                np.asarray(batches.labels.sum(axis=0)).ravel(),
                batches.labels.shape[0],
                config.batch_size,
                config.random_negatives,
            )
        self._predict = parts_function(model, validation_batches)
        self._embeddings = None  # of a frozen encoder, which stay as they are

    @property
    def knows_start(self):
        """Whether the model knows anything before training, a bool."""
        from_embeddings = self.config.candidates_from == "embeddings"
        return self.model.lexical is not None or from_embeddings

    @contextlib.contextmanager
    def start(self):
        """Context manager in which the model is the start: label words alone.

        Without label words, the label embeddings of an untrained encoder.
        """
        weights = self.model.classifier.label_weights
        if self.model.lexical is None:
            yield
            return
        random = ops.copy(weights.value)
        weights.assign(ops.zeros_like(random))
        yield
        weights.assign(random)

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.judge())

    @property
    def _workers(self):
        return Workers.of(self.model)

    def judge(self):
        """`val_precision_at_k`, in [0, 1], with the weights that are best."""
        betas = (1.0,)
        if self.config.candidates_from == "embeddings":
            self._embed()
            betas = self.betas
        scores, weights = self.choose(betas)
        means = scores.precisions(weights).mean(axis=0)
        # Those of the chief, so that all workers keep, or end, at the same epoch.
        return self._workers.broadcast(
            {f"val_precision_at_{k}": float(p) for k, p in zip((1, 3, 5), means)}
        )

    @property
    def betas(self):
        """The values of `beta` to choose from."""
        return BETAS if self.config.beta is None else (self.config.beta,)

    def choose(self, betas):
        """Chooses the weights of the scores on the validation split.

        Returns:
            `(scores, weights)`: `ValidationScores` and `ScoreWeights`.
        """
        chosen = self.config.logq_correction is None and self.log_q is not None
        share = 0.0
        if self.log_q is not None:
            share = MIDDLE if chosen else self.config.logq_correction
        with self._corrected(share):
            parts = predict_parts(self.model, self.validation_batches, self._predict)
        relevant = self.relevant[self.validation_batches.order]
        scores = ValidationScores(parts, relevant, self.log_q, share)
        weights = scores.choose(
            ScoreWeights(share, 1.0, betas[-1]),
            SHARES if chosen else (),
            () if self.model.lexical is None else FACTORS,
            betas,
        )
        return scores, weights

    def apply(self, weights):
        """Puts share and factor of `ScoreWeights` into the model, for good."""
        if weights.share:
            change = weights.share * self.log_q
            self.model.classifier.label_bias.assign_add(change)
        if weights.factor != 1:
            scale = self.model.lexical.scale
            scale.assign(weights.factor * scale)

    @contextlib.contextmanager
    def _corrected(self, share):
        """Context manager in which a share of log q is in the biases."""
        bias = self.model.classifier.label_bias
        if not share:
            yield
            return
        before = ops.copy(bias.value)
        bias.assign_add(share * self.log_q)
        yield
        bias.assign(before)

    def _embed(self):
        """Sets the label embeddings to the centroids of the labels."""
        embeddings = self._embeddings
        if embeddings is None:
            documents = self.batches.in_order()
            features = encode_documents(self.model.encoder, documents, self._workers)
            embeddings = compute_centroids(features, self.batches.labels)
            if self.config.freeze_encoder:
                self._embeddings = embeddings
        self.model.refresh(embeddings)
