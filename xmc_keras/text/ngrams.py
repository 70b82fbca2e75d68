"""Word and character n-grams of texts: hashes and document frequencies."""

import numpy as np
import tensorflow as tf

from xmc_keras.text.map_texts import map_texts
from xmc_keras.text.split_words import split_words

BUCKETS = 2**63 - 1  # of `tf.strings.to_hash_bucket_fast`, its maximum


def hash_ngrams(words, max_ngram=1):
    """Hashes all words and word n-grams of texts.

    Args:
        words: string `tf.RaggedTensor` (documents, None), see `split_words`.
        max_ngram: int. Maximum number of words in an n-gram. Defaults to `1`.

    Returns:
        int64 `tf.RaggedTensor` (documents, None): for each document the words in order,
        then the bigrams, and so on, with repeats. A hash is FarmHash64 of the words
        joined by a space, modulo 2^63 - 1.

    Example:

    >>> words = split_words(["a b a", "b", ""])
    >>> hash_ngrams(words, max_ngram=2).row_lengths().numpy().tolist()
    [5, 1, 0]
    >>> a, b, again, ab, ba = hash_ngrams(words, max_ngram=2)[0].numpy()
    >>> bool(a == again and ab != ba)
    True
    """
    with tf.device("CPU:0"):  # the only device with string ops
        hashes = [
            part.with_values(tf.strings.to_hash_bucket_fast(part.values, BUCKETS))
            for part in join_ngrams(words, max_ngram)
        ]
        return tf.concat(hashes, axis=1) if max_ngram > 1 else hashes[0]


def join_ngrams(words, max_ngram=1):
    """All words and word n-grams of texts, as strings.

    Args:
        words, max_ngram: see `hash_ngrams`.

    Returns:
        A list of `max_ngram` string `tf.RaggedTensor` (documents, None): the words, the
        bigrams, and so on. The words of an n-gram are joined by a space.

    Example:

    >>> [part.to_list() for part in join_ngrams(split_words(["a b a"]), max_ngram=2)]
    [[[b'a', b'b', b'a']], [[b'a b', b'b a']]]
    """
    ngrams = [words]
    for n in range(1, max_ngram):
        # Words contain no spaces, so different n-grams are different strings.
        starts, ends = ngrams[-1][:, :-1], words[:, n:]
        both = tf.strings.join([starts.values, ends.values], " ")
        ngrams.append(ends.with_values(both))
    return ngrams


def hash_char_ngrams(words, lengths):
    """Hashes all n-grams of characters within words.

    A word counts with a space before and after it, as in scikit-learn's `char_wb`: the
    n-grams of three characters of "sea" are " se", "sea" and "ea ". Words that are too
    short have none.

    Args:
        words: string tensor (words,).
        lengths: pair of ints, the least and the largest number of characters.

    Returns:
        int64 `tf.RaggedTensor` (words, None), negative: `-1 - h`, where `h` is hashed
        as in `hash_ngrams`. So the sign is the kind of a feature, and no n-gram of
        characters has the hash of a word.

    Example:

    >>> hash_char_ngrams(tf.constant(["sea", "a"]), (3, 5)).row_lengths().numpy()
    array([6, 1])
    """
    with tf.device("CPU:0"):  # the only device with string ops
        ngrams = tf.strings.ngrams(
            tf.strings.unicode_split(words, "UTF-8"),
            tuple(range(lengths[0], lengths[1] + 1)),
            separator="",
            pad_values=(" ", " "),
            padding_width=1,
        )
        hashes = tf.strings.to_hash_bucket_fast(ngrams.values, BUCKETS)
        return ngrams.with_values(-1 - hashes)


def count_ngrams(words, number, max_ngram=1, char_ngrams=None):
    """Counts the features of each text: n-grams of words, and of characters.

    Args:
        words: string `tf.RaggedTensor` (documents, None), see `split_words`.
        number: function from hashes, int64 (n,), to numbers, int64 (n,). Negative ones
            are left out. Called once for each kind of feature.
        max_ngram: int. Maximum number of words in an n-gram. Defaults to `1`.
        char_ngrams: optional pair of ints, see `hash_char_ngrams`. Defaults to `None`,
            words alone.

    Returns:
        A list with one pair `(numbers, counts)` for words, and one for characters if
        there are `char_ngrams`: int64 `tf.RaggedTensor` (documents, None) without
        repeats in a document, in order of first occurrence, and how often each occurs
        there, float32.

    Example:

    >>> parity = lambda hashes: hashes % 1  # gives all features the number 0
    >>> (numbers, counts), = count_ngrams(split_words(["a b a", ""]), parity)
    >>> numbers.to_list(), counts.to_list()
    ([[0], []], [[3.0], []])
    """
    with tf.device("CPU:0"):
        hashes = hash_ngrams(words, max_ngram)
        numbers, rows = number(hashes.values), hashes.value_rowids()
        known = numbers >= 0
        numbers, rows = tf.boolean_mask(numbers, known), tf.boolean_mask(rows, known)
        parts = [_sum_pairs(numbers, rows, words.nrows())]
        if char_ngrams is None:
            return parts
        # Words repeat within and between documents, so each is taken apart once.
        distinct, places = tf.unique(words.values, tf.int64)
        places, counts = _sum_pairs(places, words.value_rowids(), words.nrows())
        hashes = hash_char_ngrams(distinct, char_ngrams)
        numbers = hashes.with_values(number(hashes.values))
        numbers = tf.ragged.boolean_mask(numbers, numbers >= 0)
        lists = tf.gather(numbers, places.values)
        lengths = lists.row_lengths()
        rows = tf.repeat(places.value_rowids(), lengths)
        counts = tf.repeat(counts.values, lengths)
        return [*parts, _sum_pairs(lists.values, rows, words.nrows(), counts)]


def _sum_pairs(numbers, rows, nrows, counts=None):
    """Adds up the counts of equal numbers of a row, which are 1 by default."""
    # One integer for each pair of row and number.
    most = tf.reduce_max(tf.concat([numbers, [0]], 0)) + 1
    pairs = rows * most + numbers
    if counts is None:
        pairs, _, counts = tf.unique_with_counts(pairs)
        counts = tf.cast(counts, tf.float32)
    else:
        pairs, places = tf.unique(pairs)
        counts = tf.math.unsorted_segment_sum(counts, places, tf.size(pairs))
    numbers = tf.RaggedTensor.from_value_rowids(
        pairs % most, pairs // most, nrows, validate=False
    )
    return numbers, numbers.with_values(counts)


def count_documents(texts, max_ngram=1, char_ngrams=None, fold_accents=False):
    """Document frequencies of all features of texts.

    Args:
        texts: list of strings.
        max_ngram, char_ngrams: see `count_ngrams`.
        fold_accents: bool, see `split_words`.

    Returns:
        `(hashes, counts)`, int64 arrays (features,): the distinct hashes of
        `hash_char_ngrams` and `hash_ngrams`, sorted, and the number of texts that
        contain each.

    Example:

    >>> hashes, counts = count_documents(["sea sea sky", "sea", ""])
    >>> len(hashes), sorted(counts.tolist())
    (2, [1, 2])
    """

    def count_in_part(texts):
        found = []

        def number(hashes):
            distinct, places = tf.unique(hashes, tf.int64)
            found.append(distinct.numpy())
            return places

        words = split_words(texts, fold_accents)
        parts = count_ngrams(words, number, max_ngram, char_ngrams)
        counts = [
            np.bincount(numbers.values.numpy(), minlength=len(distinct))
            for distinct, (numbers, _) in zip(found, parts)
        ]
        return np.concatenate(found), np.concatenate(counts)

    parts = map_texts(count_in_part, texts)
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    hashes, counts = (np.concatenate(arrays) for arrays in zip(*parts))
    hashes, places = np.unique(hashes, return_inverse=True)
    sums = np.bincount(places, weights=counts, minlength=len(hashes))
    return hashes, sums.astype(np.int64)
