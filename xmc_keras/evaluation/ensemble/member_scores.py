"""Scores of an ensemble member for the labels of the other members."""

import math
import os
import tempfile

import numpy as np
import tensorflow as tf
from keras import ops

from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.lightdxml.scores import score_candidates


class MemberScores:
    """A model's best labels for documents, and its scores of any other labels.

    The encoder, which is most of the work, runs only once. Its features are stored in a
    temporary file of documents x dim float32 numbers, so that memory does not grow with
    the number of documents.

    Args:
        model: a `LightXML` or `LightDXML`.
        batches: `DocumentBatches` or `SparseDocumentBatches` of the documents, not
            shuffled.

    Attributes:
        label_ids: int32 array (documents, n). The model's best labels, in the order of
            the documents, best first, `-1` pads.
        scores: float32 array (documents, n). Their scores.

    Example:

    >>> from xmc_keras.lightdxml.lightdxml import LightDXML
    >>> from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
    >>> from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
    >>> model = LightDXML(SparseTextEncoder(3, dim=4), num_labels=5, num_predictions=2)
    >>> documents = SparseDocumentBatches(np.eye(3), None, 2, shuffle=False)
    >>> member = MemberScores(model, documents)
    >>> member.label_ids.shape, member.scores_of(np.array([[4], [-1], [0]])).shape
    ((3, 2), (3, 1))
    """

    def __init__(self, model, batches):
        self.batches = batches
        self._features = None
        is_lightdxml = not hasattr(model, "generator")

        def words(x):
            """Extra arguments of a LightDXML."""
            return {"words": model.read_words(x)} if is_lightdxml else {}

        @tf.function(reduce_retracing=True, autograph=False)
        def rank(x):
            features = model.encoder(x, training=False)
            outputs = model.rank(features, **words(x))
            features = tf.cast(features, tf.float32)
            return features, outputs["predicted_ids"], outputs["scores"]

        @tf.function(reduce_retracing=True, autograph=False)
        def score(x, features, label_ids):
            return score_labels(model, features, label_ids, **words(x))

        self._score = score
        if not model.built:
            model(next(batches.batches()), training=False)
        found = [
            [part.numpy() for part in self._keep(rank(x), documents)]
            for x, documents in self._parts()
        ]
        label_ids, scores = map(np.concatenate, zip(*found))
        self.label_ids, self.scores = map(batches.restore, (label_ids, scores))

    def scores_of(self, label_ids):
        """Scores of given labels, as if the model had offered them.

        Args:
            label_ids: int32 array (documents, n), `-1` pads.

        Returns:
            float32 array (documents, n), 0 for pads.
        """
        label_ids = np.asarray(label_ids, np.int32)
        scores = np.empty(label_ids.shape, np.float32)
        for x, documents in self._parts():
            rows = self._features[documents], label_ids[documents]
            scores[documents] = self._score(x, *map(tf.constant, rows)).numpy()
        return scores

    def _parts(self):
        """Yields the input and the documents of each batch."""
        start = 0
        for x in self.batches.batches():
            x = {name: tf.convert_to_tensor(value) for name, value in x.items()}
            size = x["token_ids"].shape[0]
            yield x, self.batches.order[start : start + size]
            start += size

    def _keep(self, found, documents):
        features, *rest = found
        if self._features is None:
            shape = len(self.batches.order), features.shape[1]
            with (
                explain_disk_errors(tempfile.gettempdir()),
                tempfile.TemporaryFile() as file,  # gone with the array
            ):
                # Now, because writing to an array on a full disk ends the process.
                os.posix_fallocate(file.fileno(), 0, 4 * math.prod(shape))
                self._features = np.memmap(file, np.float32, "w+", shape=shape)
        self._features[documents] = features.numpy()
        return rest


def score_labels(model, features, label_ids, words=None):
    """Probabilities of given labels, whether or not they would be candidates.

    Args:
        model: a `LightXML`, `LightDXML` or `OneVsAll`.
        features: float tensor (batch, dim), from its encoder.
        label_ids: int32 tensor (batch, n), `-1` pads.
        words: the result of `LightDXML.read_words`.

    Returns:
        float32 tensor (batch, n), `0` for pads.

    Reference:
        [LightXML](https://arxiv.org/abs/2101.03305), algorithm 1: the product of the
        cluster's and the label's probability, or the form set by the model's `score`.
        For a `LightDXML` see `score_candidates`.
    """
    if hasattr(model, "head"):
        hidden = model.head.project(features)
        scores = ops.sigmoid(model.head.logits(hidden, ops.maximum(label_ids, 0)))
        return ops.where(label_ids < 0, 0.0, scores)
    if not hasattr(model, "generator"):
        return _score_lightdxml_labels(model, features, label_ids, words)
    return ops.where(label_ids < 0, 0.0, model.score_labels(features, label_ids))


def _score_lightdxml_labels(model, features, label_ids, words):
    found = model.rank(features, words)
    ids = ops.maximum(label_ids, 0)
    scores = score_candidates(
        model.logits(features, ids, words),
        model.nearest.cosines(features, ids),
        model.beta,
        (found["logits"], found["cosines"]),
    )
    return ops.where(label_ids < 0, 0.0, scores)
