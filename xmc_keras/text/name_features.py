"""Names of the features of a text: the words that it has them from."""

import collections

import numpy as np
import tensorflow as tf

from xmc_keras.text.ngrams import hash_char_ngrams, hash_ngrams, join_ngrams
from xmc_keras.text.split_words import split_words
from xmc_keras.text.word_vectorizer import find_hashes


def name_features(vectorizer, text):
    """Finds the words of a text that each of its features is from.

    A `WordVectorizer` stores hashes alone, so the names are those of the text itself,
    in the form in which the features are made: case and width are gone.

    Args:
        vectorizer: a `WordVectorizer`.
        text: string.

    Returns:
        Dictionary from the ids of the features that the vectorizer gives the text to
        `{name: count}`. For an n-gram of words the name is this n-gram, and the count
        how often it is in the text. For an n-gram of characters the names are the words
        that contain it, and the count how often it is in all occurrences of the word.

    Example:

    >>> from xmc_keras.text.word_vectorizer import WordVectorizer
    >>> vectorizer = WordVectorizer.fit(["red sea", "sea"], max_ngram=2)
    >>> sorted(map(dict, name_features(vectorizer, "Sea, RED SEA").values()), key=str)
    [{'red sea': 1}, {'red': 1}, {'sea': 2}]
    """
    words = split_words([text], vectorizer.fold_accents, vectorizer.rule)
    named = collections.defaultdict(collections.Counter)

    def name(names, hashes, counts):
        ids = find_hashes(vectorizer.hashes, hashes).numpy()
        for place in np.flatnonzero(ids >= 0):
            named[int(ids[place])][names[place].decode()] += int(counts[place])

    hashes = hash_ngrams(words, vectorizer.max_ngram).values
    ngrams = tf.concat([p.values for p in join_ngrams(words, vectorizer.max_ngram)], 0)
    name(ngrams.numpy(), hashes, np.ones(len(ngrams)))
    if vectorizer.char_ngrams is not None and len(words.values):
        distinct, _, counts = tf.unique_with_counts(words.values)
        hashes = hash_char_ngrams(distinct, vectorizer.char_ngrams)
        owners = hashes.value_rowids().numpy()
        name(distinct.numpy()[owners], hashes.values, counts.numpy()[owners])
    return dict(named)
