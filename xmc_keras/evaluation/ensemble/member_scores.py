"""Scores of an ensemble member for the labels of the other members."""

import itertools
import logging
import math
import os
import tempfile
import time

import numpy as np
import tensorflow as tf

from xmc_keras.data.inputs import build_inputs
from xmc_keras.files.disk_error import explain_disk_errors

logger = logging.getLogger(__name__)


class MemberScores:
    """A model's best labels for documents, and its scores of any other labels.

    The encoder, which is most of the work, runs only once. Its features are stored in a
    temporary file of documents x dim float32 numbers, so that memory does not grow with
    the number of documents.

    Args:
        model: a `Recommender`, such as a `LightXML`.
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

        @tf.function(reduce_retracing=True, autograph=False)
        def rank(x):
            encoded = model.encode(x)
            outputs = model.rank(*encoded)
            features = tf.cast(encoded[0], tf.float32)
            return features, outputs["predicted_ids"], outputs["scores"]

        @tf.function(reduce_retracing=True, autograph=False)
        def score(x, features, label_ids):
            words = model.read_words(x)
            more = () if words is None else (words,)
            return model.score_labels(label_ids, features, *more)

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

    def scores_of_pairs(self, documents, label_ids):
        """Scores (pairs,) of a label for a document each.

        Args:
            documents: int array (pairs,), in increasing order.
            label_ids: int array (pairs,).
        """
        counts = np.bincount(documents, minlength=len(self.batches.order))
        places = np.arange(counts.max(initial=0)) < counts[:, None]  # (documents, n)
        rows = np.full(places.shape, -1, np.int32)
        rows[places] = label_ids
        return self.scores_of(rows)[places]

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


def score_members(models, texts, runs=()):
    """Scores texts with the models of an ensemble.

    Args:
        models: list of `Recommender`.
        texts: list of strings, or a csr matrix (documents, features).
        runs: optional list of the `RunFolder` of each model, for its batch size and
            cache.

    Returns:
        `(members, seconds)`: lists of a `MemberScores` of each model and the seconds
        that it took.
    """
    members, seconds = [], []
    for model, run in itertools.zip_longest(models, runs):
        begun, own = time.monotonic(), {}
        if run is not None:
            own = {"config": run.config(), "cache": run.cache_path}
        batches = build_inputs(model, texts, **own)
        if run is not None:
            number = len(batches.order)  # a sparse matrix has no length
            logger.info("Scoring %d documents with %s", number, run.path)
        members.append(MemberScores(model, batches))
        seconds.append(time.monotonic() - begun)
    return members, seconds
