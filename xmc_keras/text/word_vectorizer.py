"""TF-IDF features of texts, with equal rows in training and in a SavedModel."""

import hashlib
import logging

import numpy as np
import scipy.sparse
import tensorflow as tf

from xmc_keras.bad_input import BadInput
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.text.list_texts import list_texts
from xmc_keras.text.map_texts import map_texts
from xmc_keras.text.ngrams import (
    RULE_VERSION,
    count_documents,
    hash_ngrams,
    to_string_tensor,
)

logger = logging.getLogger(__name__)

# With fewer texts than this, most words occur in one text only, and are kept.
FEW_TEXTS = 1000


class WordVectorizer(tf.Module):
    """Sparse, L2-normalised TF-IDF rows over the words of texts.

    A feature is a word of `split_words`, or an n-gram of up to `max_ngram` words. Only
    its 63-bit hash is stored, and its id is its position among the sorted hashes: the
    vocabulary takes 12 bytes per feature, in memory, on disk and in a SavedModel. With
    a vocabulary of a million features, one unknown word in 10^13 has the hash of a
    known one.

    `transform` runs the same ops that `ragged` adds to a SavedModel, so a text has the
    same row in training and in serving.

    Args:
        hashes: int64 array (num_features,), sorted, without repeats.
        idf: float32 array (num_features,). Inverse document frequencies.
        max_ngram: int. Maximum number of words in an n-gram. Defaults to `1`.
        sublinear: bool. Whether a feature that occurs `n` times in a text counts as
            `1 + log(n)` instead of `n`. Defaults to `True`.

    Attributes:
        num_features: int.

    Example:

    >>> texts = ["A text editor", "Editor of images", "A of a of"]
    >>> vectorizer = WordVectorizer.fit(texts, min_documents=2)
    >>> vectorizer.num_features
    3
    >>> vectorizer.transform(["EDITOR, editor", "unknown", "a"]).sum(axis=1).tolist()
    [[1.0], [0.0], [1.0]]
    >>> ids, weights = vectorizer.ragged(tf.constant(["A", "unknown"]))
    >>> ids.row_lengths().numpy().tolist(), weights.to_list()
    ([1, 0], [[1.0], []])
    """

    def __init__(self, hashes, idf, max_ngram=1, sublinear=True):
        super().__init__()
        hashes = np.asarray(hashes, np.int64)
        if not (hashes.ndim == 1 and len(hashes) and (np.diff(hashes) > 0).all()):
            raise ValueError(
                "Expected `hashes` to be a sorted array without repeats. Received: "
                f"shape {hashes.shape}."
            )
        if np.shape(idf) != hashes.shape:
            raise ValueError(
                f"Expected `idf` of shape {hashes.shape}. Received: {np.shape(idf)}."
            )
        if max_ngram < 1:
            raise ValueError(f"Expected `max_ngram` >= 1. Received: {max_ngram}")
        self.max_ngram = int(max_ngram)
        self.sublinear = bool(sublinear)
        self.num_features = len(hashes)
        with tf.device("CPU:0"):  # the only device with string ops
            self.hashes = tf.Variable(hashes, trainable=False)
            self.idf = tf.Variable(idf, trainable=False, dtype=tf.float32)

    @classmethod
    def fit(
        cls,
        texts,
        min_documents=None,
        max_features=None,
        max_ngram=1,
        sublinear=True,
    ):
        """Learns the vocabulary and the inverse document frequencies of texts.

        Args:
            texts: list of strings, the training documents.
            min_documents: optional int. Minimum document frequency of a feature.
                Defaults to `None`: 2, or 1 if there are fewer than 1,000 texts or no
                two texts share a word.
            max_features: optional int. Maximum number of features; the most frequent
                are kept. Defaults to `None`, no limit.
            max_ngram, sublinear: see the class.

        Returns:
            `WordVectorizer`. A feature in `d` of `n` texts has the inverse document
            frequency `log((1 + n) / (1 + d)) + 1`, smoothed as in scikit-learn.

        Raises:
            BadInput: no feature is in `min_documents` texts.
        """
        for name, value in [
            ("min_documents", min_documents),
            ("max_features", max_features),
        ]:
            if value is not None and value < 1:
                raise ValueError(f"Expected `{name}` >= 1. Received: {value}")
        texts = list_texts(texts)
        hashes, counts = count_documents(texts, max_ngram)
        least = min_documents
        if least is None:
            least = 2 if len(texts) >= FEW_TEXTS and (counts > 1).any() else 1
        kept = np.flatnonzero(counts >= least)
        if not len(kept):
            raise BadInput(
                f"Expected texts with a word that is in at least {least} of them. "
                f"Received: {len(texts)} texts without one. Check the texts "
                "and min_documents."
            )
        if max_features is not None and len(kept) > max_features:
            most = np.argsort(-counts[kept], kind="stable")[:max_features]
            kept = np.sort(kept[most])
        logger.info(
            "Kept %d of %d features in %d texts.", len(kept), len(counts), len(texts)
        )
        idf = np.log((1 + len(texts)) / (1 + counts[kept])) + 1
        return cls(hashes[kept], idf.astype(np.float32), max_ngram, sublinear)

    def transform(self, texts) -> scipy.sparse.csr_matrix:
        """Computes the rows of texts, on all cores.

        Args:
            texts: list of strings.

        Returns:
            float32 csr matrix (documents, num_features), indices sorted. A text without
            a known word has an empty row.
        """
        texts = list_texts(texts)
        parts = map_texts(self._compute_rows, texts)
        ids, weights, lengths = zip(*parts) if parts else ([[]], [[]], [[]])
        splits = np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64)
        arrays = (np.concatenate(weights), np.concatenate(ids), splits)
        shape = (len(texts), self.num_features)
        features = scipy.sparse.csr_matrix(arrays, shape, np.float32)
        features.sort_indices()
        return features

    def _compute_rows(self, texts):
        ids, weights = self.ragged(to_string_tensor(texts))
        parts = ids.flat_values, weights.flat_values, ids.row_lengths()
        return [part.numpy() for part in parts]

    def ragged(self, texts):
        """Computes the rows of texts with graph ops.

        Args:
            texts: string tensor (documents,), any bytes.

        Returns:
            `(ids, weights)`, two `tf.RaggedTensor` (documents, None): the int32 ids of
            the known features, without repeats, in order of first occurrence, and
            their float32 weights.
        """
        with tf.device("CPU:0"):
            hashes = hash_ngrams(texts, self.max_ngram)
            # Read once: each read of the variable would copy it.
            known_hashes = tf.convert_to_tensor(self.hashes)
            place = tf.searchsorted(known_hashes, hashes.values)
            place = tf.minimum(place, self.num_features - 1)
            known = tf.equal(tf.gather(known_hashes, place), hashes.values)
            # One integer for each (document, feature) pair.
            pairs = hashes.value_rowids() * self.num_features + tf.cast(place, tf.int64)
            pairs = tf.boolean_mask(pairs, known)
            pairs, _, counts = tf.unique_with_counts(pairs)
            rows = pairs // self.num_features
            ids = tf.cast(pairs % self.num_features, tf.int32)
            counts = tf.cast(counts, tf.float32)
            if self.sublinear:
                counts = 1 + tf.math.log(counts)
            weights = counts * tf.gather(self.idf, ids)
            squares = tf.math.unsorted_segment_sum(weights**2, rows, hashes.nrows())
            weights /= tf.gather(tf.sqrt(squares), rows)
            lengths = tf.math.unsorted_segment_sum(
                tf.ones_like(rows), rows, hashes.nrows()
            )
            ids = tf.RaggedTensor.from_row_lengths(ids, lengths, validate=False)
            return ids, ids.with_values(weights)

    def digest(self):
        """Hex digest of everything that the rows depend on."""
        digest = hashlib.sha256(
            repr((RULE_VERSION, self.max_ngram, self.sublinear)).encode()
        )
        digest.update(self.hashes.numpy().tobytes())
        digest.update(self.idf.numpy().tobytes())
        return digest.hexdigest()[:16]

    def save(self, path):
        """Writes an `.npz` file, atomically."""
        with atomic_write(path) as file:
            np.savez(
                file,
                rule=RULE_VERSION,
                hashes=self.hashes.numpy(),
                idf=self.idf.numpy(),
                max_ngram=self.max_ngram,
                sublinear=self.sublinear,
            )

    @classmethod
    def load(cls, path):
        """Reads a file written by `save`; any other raises `BadInput`."""
        try:
            # Opened here because `np.load` leaves a damaged file open.
            with open(path, "rb") as file, np.load(file) as stored:
                if stored["rule"] != RULE_VERSION:
                    raise BadInput(
                        f"Expected words split by rule {RULE_VERSION}. Received: rule "
                        f"{stored['rule']}. Train the run again.",
                        path,
                    )
                names = ("hashes", "idf", "max_ngram", "sublinear")
                return cls(*(stored[name] for name in names))
        except BadInput:
            raise
        # np.load and zipfile raise many kinds of errors for a damaged file.
        except Exception as error:
            raise BadInput(
                "Expected a file written by WordVectorizer.save. "
                f"Received: {error}. Restore the file, or train the run again.",
                path,
            ) from None
