"""Words and sequences of words of texts, counted by hashes."""

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from xmc_keras.text.map_texts import map_texts

# Goes into the digest of whatever was made of words: a change here changes it.
RULE_VERSION = 1

# Written without spaces between words: each character is a word, and bigrams are what
# most of their words are.
ALONE = r"([\p{Han}\p{Hiragana}\p{Katakana}])"
NO_WORD = r"[^\p{L}\p{M}\p{N}_]+"


def split_words(texts):
    """Splits texts into words.

    The rule: invalid UTF-8 becomes U+FFFD; Unicode's NFKC_Casefold, which makes one of
    what differs by case, width, ligature or the way an accent is written, and drops
    invisible characters such as the soft hyphen; Chinese characters and Japanese
    syllables stand alone; a word is a longest run of letters, marks, numbers and
    underscores.

    All of it is ops of a graph, and training runs these very ops, rather than a rule
    written twice that would have to agree on 1.1 million characters. They follow no
    locale. What may differ between two TensorFlow versions are characters younger than
    the Unicode version they hold: of all code points between two letters, TensorFlow
    2.12 and 2.20 split apart only some that came with Unicode 13 to 16.

    Args:
        texts: string tensor, (documents,), any bytes; or a list of strings, in which
            lone surrogates count as U+FFFD.

    Returns:
        `tf.RaggedTensor` of strings in UTF-8, (documents, None).

    Example:

    >>> [w.decode() for w in split_words(["Ｓtraße-Café\\0x_2, 東京!"]).values.numpy()]
    ['strasse', 'café', 'x_2', '東', '京']
    >>> split_words(["", "..."]).row_lengths().numpy().tolist()
    [0, 0]
    """
    texts = to_string_tensor(texts)
    with tf.device("CPU:0"):  # where strings are
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        texts = tf_text.case_fold_utf8(texts)
        texts = tf.strings.regex_replace(texts, ALONE, r" \1 ")
        texts = tf.strings.regex_replace(texts, NO_WORD, " ")
        return tf.strings.split(texts)  # at ASCII white space, all that is left


def to_string_tensor(texts):
    """A list of strings as a string tensor (texts,); a tensor as it is."""
    if tf.is_tensor(texts):
        return texts
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"Expected a list of strings. Received: {texts!r:.100}")
    # A lone surrogate becomes invalid UTF-8 here and U+FFFD in `split_words`.
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return tf.constant(encoded, tf.string, [len(encoded)])


BUCKETS = 2**63 - 1  # of a hash, the most that there can be


def hash_ngrams(texts, max_ngram=1):
    """Hashes of all words and n-grams of texts.

    Args:
        texts: string tensor (documents,) or list of strings, as of `split_words`.
        max_ngram: int. The longest sequence of words. Defaults to `1`.

    Returns:
        `tf.RaggedTensor` of int64, (documents, None): of each document the words, then
        the pairs, and so on, as often as they come. The hash is FarmHash64 of the words
        with a space between, modulo 2^63 - 1.

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


def count_documents(texts, max_ngram=1):
    """Finds all words and n-grams of texts, and in how many texts each one is.

    Args:
        texts: list of strings.
        max_ngram: int. As of `hash_ngrams`. Defaults to `1`.

    Returns:
        `(hashes, counts)`, int64 arrays: the hashes sorted, without repeats.

    Example:

    >>> hashes, counts = count_documents(["sea sea sky", "sea", ""])
    >>> len(hashes), sorted(counts.tolist())
    (2, [1, 2])
    """

    def count(texts):
        hashes = hash_ngrams(texts, max_ngram)
        known, places = tf.unique(hashes.values)
        num_known = tf.size(known, tf.int64)
        pairs = hashes.value_rowids() * num_known + tf.cast(places, tf.int64)
        pairs, _ = tf.unique(pairs)
        places = pairs.numpy() % max(len(known), 1)
        return known.numpy(), np.bincount(places, minlength=len(known))

    found = map_texts(count, texts)
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    hashes, counts = (np.concatenate(parts) for parts in zip(*found))
    hashes, places = np.unique(hashes, return_inverse=True)
    sums = np.bincount(places, weights=counts, minlength=len(hashes))
    return hashes, sums.astype(np.int64)
