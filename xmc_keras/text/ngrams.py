"""Words and word n-grams of texts: splitting, hashing, document frequencies."""

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from xmc_keras.text.list_texts import list_texts
from xmc_keras.text.map_texts import map_texts

# Part of the digest of everything made from words. Increase it when the rule changes.
RULE_VERSION = 1

# Scripts without spaces between words. Each character is a word, and most real words
# are bigrams.
ALONE = r"([\p{Han}\p{Hiragana}\p{Katakana}])"
NO_WORD = r"[^\p{L}\p{M}\p{N}_]+"

BUCKETS = 2**63 - 1  # of `tf.strings.to_hash_bucket_fast`, its maximum


def split_words(texts):
    """Splits texts into normalised words.

    1. Invalid UTF-8 becomes U+FFFD.
    2. Unicode's NFKC_Casefold unifies case, width, ligatures and composed accents, and
       drops invisible characters such as the soft hyphen.
    3. Chinese characters and Japanese syllables are words of their own. Otherwise a
       word is a longest run of letters, marks, numbers and underscores.

    Training runs the same graph ops as a SavedModel: a second implementation would
    have to agree on 1.1 million characters. The ops do not depend on the locale. Two
    TensorFlow versions may differ on characters newer than the Unicode version that
    they include: with every code point placed between two letters, TensorFlow 2.12 and
    2.20 disagree only on some that were added in Unicode 13 to 16.

    Args:
        texts: string tensor (documents,) of any bytes, or list of strings, in which
            lone surrogates count as U+FFFD.

    Returns:
        `tf.RaggedTensor` of UTF-8 strings, (documents, None).

    Example:

    >>> [w.decode() for w in split_words(["Ｓtraße-Café\\0x_2, 東京!"]).values.numpy()]
    ['strasse', 'café', 'x_2', '東', '京']
    >>> split_words(["", "..."]).row_lengths().numpy().tolist()
    [0, 0]
    """
    texts = to_string_tensor(texts)
    with tf.device("CPU:0"):  # the only device with string ops
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        texts = tf_text.case_fold_utf8(texts)
        texts = tf.strings.regex_replace(texts, ALONE, r" \1 ")
        texts = tf.strings.regex_replace(texts, NO_WORD, " ")
        return tf.strings.split(texts)  # at ASCII white space: no other is left


def to_string_tensor(texts):
    """Converts a list of strings to a string tensor (texts,); a tensor is returned."""
    if tf.is_tensor(texts):
        return texts
    # A lone surrogate becomes invalid UTF-8 here and U+FFFD in `split_words`.
    encoded = [text.encode("utf-8", "surrogatepass") for text in list_texts(texts)]
    return tf.constant(encoded, tf.string, [len(encoded)])


def hash_ngrams(texts, max_ngram=1):
    """Hashes all words and word n-grams of texts.

    Args:
        texts: string tensor (documents,) or list of strings; see `split_words`.
        max_ngram: int. Maximum number of words in an n-gram. Defaults to `1`.

    Returns:
        int64 `tf.RaggedTensor` (documents, None): for each document the words in order,
        then the bigrams, and so on, with repeats. A hash is FarmHash64 of the words
        joined by a space, modulo 2^63 - 1.

    Example:

    >>> hash_ngrams(["a b a", "b", ""], max_ngram=2).row_lengths().numpy().tolist()
    [5, 1, 0]
    >>> a, b, again, ab, ba, b_alone = hash_ngrams(["a b a", "b"], 2).values.numpy()
    >>> bool(a == again and b == b_alone and ab != ba)
    True
    """
    words = split_words(texts)
    ngrams = [words]
    for n in range(1, max_ngram):
        # Words contain no spaces, so different n-grams are different strings.
        starts, ends = ngrams[-1][:, :-1], words[:, n:]
        both = tf.strings.join([starts.values, ends.values], " ")
        ngrams.append(ends.with_values(both))
    with tf.device("CPU:0"):  # the only device with string ops
        hashes = [
            part.with_values(tf.strings.to_hash_bucket_fast(part.values, BUCKETS))
            for part in ngrams
        ]
        return tf.concat(hashes, axis=1) if max_ngram > 1 else hashes[0]


def count_documents(texts, max_ngram=1):
    """Document frequencies of all words and word n-grams of texts.

    Args:
        texts: list of strings.
        max_ngram: int. Maximum number of words in an n-gram. Defaults to `1`.

    Returns:
        `(hashes, counts)`, int64 arrays (features,): the distinct hashes of
        `hash_ngrams`, sorted, and the number of texts that contain each.

    Example:

    >>> hashes, counts = count_documents(["sea sea sky", "sea", ""])
    >>> len(hashes), sorted(counts.tolist())
    (2, [1, 2])
    """

    def count_in_part(texts):
        hashes = hash_ngrams(texts, max_ngram)
        distinct, places = tf.unique(hashes.values)
        # One integer for each pair of text and feature, so that repeats within a text
        # count once.
        num_distinct = tf.size(distinct, tf.int64)
        pairs = hashes.value_rowids() * num_distinct + tf.cast(places, tf.int64)
        pairs, _ = tf.unique(pairs)
        places = pairs.numpy() % max(len(distinct), 1)
        return distinct.numpy(), np.bincount(places, minlength=len(distinct))

    parts = map_texts(count_in_part, texts)
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    hashes, counts = (np.concatenate(arrays) for arrays in zip(*parts))
    hashes, places = np.unique(hashes, return_inverse=True)
    sums = np.bincount(places, weights=counts, minlength=len(hashes))
    return hashes, sums.astype(np.int64)
