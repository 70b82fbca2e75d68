"""Hashes of the words of texts, and of sequences of words."""

import tensorflow as tf

from xmc_keras.split_words import split_words

BUCKETS = 2**63 - 1  # of a hash, the most that there can be


def ngram_hashes(texts, max_ngram=1):
    """Hashes of all words and n-grams of texts.

    Args:
        texts: string tensor (documents,) or list of strings, as of `split_words`.
        max_ngram: int. The longest sequence of words. Defaults to `1`.

    Returns:
        `tf.RaggedTensor` of int64, (documents, None): of each document the words, then
        the pairs, and so on, as often as they come. The hash is FarmHash64 of the words
        with a space between, modulo 2^63 - 1.

    Example:

    >>> ngram_hashes(["a b a", "b", ""], max_ngram=2).row_lengths().numpy().tolist()
    [5, 1, 0]
    >>> a, b, again, ab, ba, b_alone = ngram_hashes(["a b a", "b"], 2).values.numpy()
    >>> bool(a == again and b == b_alone and ab != ba)
    True
    """
    words = split_words(texts)
    ngrams = [words]
    for n in range(1, max_ngram):
        # There is no space in a word, so no two sequences make the same string.
        starts, ends = ngrams[-1][:, :-1], words[:, n:]
        both = tf.strings.join([starts.values, ends.values], " ")
        ngrams.append(ends.with_values(both))
    with tf.device("CPU:0"):  # where strings are
        hashes = [
            part.with_values(tf.strings.to_hash_bucket_fast(part.values, BUCKETS))
            for part in ngrams
        ]
        return tf.concat(hashes, axis=1) if max_ngram > 1 else hashes[0]
