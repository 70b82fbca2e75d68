"""TF-IDF features of texts, with equal rows in training and in a SavedModel."""

import functools
import hashlib
import logging

import numpy as np
import scipy.sparse
import tensorflow as tf

from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput
from xmc_keras.text.list_texts import list_texts
from xmc_keras.text.map_texts import map_texts
from xmc_keras.text.ngrams import count_documents, count_ngrams
from xmc_keras.text.split_words import (
    RULE_VERSION,
    RULES,
    split_words,
    to_string_tensor,
)

logger = logging.getLogger(__name__)

# With fewer texts than this, most words occur in one text only, and are kept.
FEW_TEXTS = 1000

# Share of the square of a row's norm that n-grams of characters have.
CHAR_SHARE = 0.5


class WordVectorizer(tf.Module):
    """Sparse, L2-normalised TF-IDF rows over the words of texts.

    A feature is a word of `split_words`, an n-gram of up to `max_ngram` words, or, with
    `char_ngrams`, an n-gram of characters within a word. Only its 63-bit hash is
    stored, and its id is its position among the sorted hashes: the vocabulary takes 12
    bytes per feature, in memory, on disk and in a SavedModel. With a vocabulary of a
    million features, one unknown word in 10^13 has the hash of a known one.

    A text has ten times as many n-grams of characters as words. So that they do not
    drown the words, each kind is normalised by itself, and characters have the share
    `CHAR_SHARE` of the row.

    `transform` runs the same ops that `ragged` adds to a SavedModel, so a text has the
    same row in training and in serving.

    Args:
        hashes: int64 array (num_features,), sorted, without repeats.
        idf: float32 array (num_features,). Inverse document frequencies.
        max_ngram: int. Maximum number of words in an n-gram. Defaults to `1`.
        sublinear: bool. Whether a feature that occurs `n` times in a text counts as
            `1 + log(n)` instead of `n`. Defaults to `True`.
        char_ngrams: optional pair of ints. The least and the largest number of
            characters in an n-gram of characters; a word has a space before and after
            it. Defaults to `None`, words alone.
        fold_accents: bool. Whether "café" is the word "cafe". Defaults to `False`.
        rule: int. How texts are split, see `split_words`. Defaults to the newest.

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

    def __init__(
        self,
        hashes,
        idf,
        max_ngram=1,
        sublinear=True,
        char_ngrams=None,
        fold_accents=False,
        rule=RULE_VERSION,
    ):
        super().__init__()
        hashes = np.asarray(hashes, np.int64)
        if not (hashes.ndim == 1 and len(hashes) and (hashes[1:] > hashes[:-1]).all()):
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
        if rule not in RULES:
            raise ValueError(f"Expected `rule` to be one of {RULES}. Received: {rule}")
        self.char_ngrams = _check_lengths(char_ngrams)
        self.fold_accents = bool(fold_accents)
        self.rule = int(rule)
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
        char_ngrams=None,
        fold_accents=False,
    ):
        """Learns the vocabulary and the inverse document frequencies of texts.

        Args:
            texts: list of strings, the training documents.
            min_documents: optional int. Minimum document frequency of a feature.
                Defaults to `None`: 2, or 1 if there are fewer than 1,000 texts or no
                two texts share a word.
            max_features: optional int. Maximum number of features; the most frequent
                are kept, and at most half of them are n-grams of characters while
                there are words to take. Defaults to `None`, no limit.
            max_ngram, sublinear, char_ngrams, fold_accents: see the class.

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
        char_ngrams = _check_lengths(char_ngrams)
        hashes, counts = count_documents(texts, max_ngram, char_ngrams, fold_accents)
        least = min_documents
        if least is None:
            least = (
                2 if len(texts) >= FEW_TEXTS and (counts[hashes >= 0] > 1).any() else 1
            )
        kept = np.flatnonzero(counts >= least)
        if not len(kept):
            raise BadInput(
                f"Expected texts with a word that is in at least {least} of them. "
                f"Received: {len(texts)} texts without one. Check the texts "
                "and min_documents."
            )
        if max_features is not None and len(kept) > max_features:
            kept = _most_frequent(kept, counts, hashes < 0, max_features)
        logger.info(
            "Kept %d of %d features in %d texts.", len(kept), len(counts), len(texts)
        )
        idf = np.log((1 + len(texts)) / (1 + counts[kept])) + 1
        return cls(
            hashes[kept],
            idf.astype(np.float32),
            max_ngram,
            sublinear,
            char_ngrams,
            fold_accents,
        )

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
            # Read once: each read of the variable would copy it.
            known_hashes = tf.convert_to_tensor(self.hashes)
            find = functools.partial(find_hashes, known_hashes)
            words = split_words(texts, self.fold_accents, self.rule)
            parts = count_ngrams(words, find, self.max_ngram, self.char_ngrams)
            parts = [(ids, *self._weigh(ids, counts)) for ids, counts in parts]
            ids, weights, _ = parts[0]
            if len(parts) > 1:
                ids = tf.concat([part[0] for part in parts], axis=1)
                weights = _share_out(parts)
            return tf.cast(ids, tf.int32), weights

    def _weigh(self, ids, counts):
        """Normalised weights of the features of one kind, and their norms before."""
        rows, counts = ids.value_rowids(), counts.values
        if self.sublinear:
            counts = 1 + tf.math.log(counts)
        weights = counts * tf.gather(self.idf, ids.values)
        squares = tf.math.unsorted_segment_sum(weights**2, rows, ids.nrows())
        norms = tf.sqrt(squares)
        return ids.with_values(weights / tf.gather(norms, rows)), norms

    def digest(self):
        """Hex digest of everything that the rows depend on."""
        settings = self.rule, self.max_ngram, self.sublinear
        if self.rule > 1:
            settings += CHAR_SHARE, self.char_ngrams, self.fold_accents
        digest = hashlib.sha256(repr(settings).encode())
        digest.update(self.hashes.numpy().tobytes())
        digest.update(self.idf.numpy().tobytes())
        return digest.hexdigest()[:16]

    def save(self, path):
        """Writes an `.npz` file, atomically."""
        with atomic_write(path) as file:
            np.savez(
                file,
                rule=self.rule,
                hashes=self.hashes.numpy(),
                idf=self.idf.numpy(),
                max_ngram=self.max_ngram,
                sublinear=self.sublinear,
                char_ngrams=self.char_ngrams or (),
                fold_accents=self.fold_accents,
            )

    @classmethod
    def load(cls, path):
        """Reads a file written by `save`; any other raises `BadInput`."""
        try:
            # Opened here because `np.load` leaves a damaged file open.
            with open(path, "rb") as file, np.load(file) as stored:
                rule = int(stored["rule"])
                if rule not in RULES:
                    raise BadInput(
                        f"Expected words split by rule {' or '.join(map(str, RULES))}. "
                        f"Received: rule {rule}. Train the run again.",
                        path,
                    )
                names = ["hashes", "idf", "max_ngram", "sublinear"]
                if rule > 1:
                    names += ["char_ngrams", "fold_accents"]
                return cls(rule=rule, **{name: stored[name] for name in names})
        except BadInput:
            raise
        # np.load and zipfile raise many kinds of errors for a damaged file.
        except Exception as error:
            raise BadInput(
                "Expected a file written by WordVectorizer.save. "
                f"Received: {error}. Restore the file, or train the run again.",
                path,
            ) from None


def find_hashes(known, hashes):
    """Places of hashes among the known ones, sorted; int64, `-1` where it is unknown.

    Example:

    >>> find_hashes([3, 5, 9], [5, 4, 10, 3]).numpy().tolist()
    [1, -1, -1, 0]
    """
    known = tf.convert_to_tensor(known, tf.int64)
    hashes = tf.convert_to_tensor(hashes, tf.int64)
    places = tf.minimum(tf.searchsorted(known, hashes), known.shape[0] - 1)
    same = tf.equal(tf.gather(known, places), hashes)
    return tf.where(same, tf.cast(places, tf.int64), -1)


def _check_lengths(char_ngrams):
    """A pair of increasing integers, or None for None or nothing."""
    if char_ngrams is None or len(char_ngrams) == 0:
        return None
    lengths = tuple(map(int, char_ngrams))
    if len(lengths) != 2 or not 2 <= lengths[0] <= lengths[1]:
        raise ValueError(
            "Expected `char_ngrams` to be the least and the largest number of "
            f"characters, such as (3, 5). Received: {lengths}"
        )
    return lengths


def _most_frequent(kept, counts, is_char, most):
    """The most frequent features, at most half of them characters if words suffice."""
    words, chars = kept[~is_char[kept]], kept[is_char[kept]]
    most_chars = max(most // 2, most - len(words)) if len(chars) else 0
    parts = [(chars, most_chars), (words, most - min(most_chars, len(chars)))]
    return np.sort(
        np.concatenate(
            [
                part[np.argsort(-counts[part], kind="stable")[:number]]
                for part, number in parts
            ]
        )
    )


def _share_out(parts):
    """Weights of words and characters in one row of norm 1.

    A text without known features of one kind has all weight on the other.
    """
    shares = 1 - CHAR_SHARE, CHAR_SHARE
    found = [
        share * tf.cast(norms > 0, tf.float32)
        for share, (_, _, norms) in zip(shares, parts)
    ]
    total = tf.add_n(found)
    weights = []
    for share, (_, part, _) in zip(shares, parts):
        scale = tf.sqrt(share / tf.gather(total, part.value_rowids()))
        weights.append(part.with_values(part.values * scale))
    return tf.concat(weights, axis=1)
