"""In how many documents words and sequences of words are."""

import numpy as np
import tensorflow as tf

from xmc_keras.ngram_hashes import ngram_hashes
from xmc_keras.over_texts import over_texts


def document_counts(texts, max_ngram=1):
    """Finds all words and n-grams of texts, and in how many texts each one is.

    Args:
        texts: list of strings.
        max_ngram: int. As of `ngram_hashes`. Defaults to `1`.

    Returns:
        `(hashes, counts)`, int64 arrays: the hashes sorted, without repeats.

    Example:

    >>> hashes, counts = document_counts(["sea sea sky", "sea", ""])
    >>> len(hashes), sorted(counts.tolist())
    (2, [1, 2])
    """

    def count(texts):
        hashes = ngram_hashes(texts, max_ngram)
        known, places = tf.unique(hashes.values)
        num_known = tf.size(known, tf.int64)
        pairs = hashes.value_rowids() * num_known + tf.cast(places, tf.int64)
        pairs, _ = tf.unique(pairs)
        places = pairs.numpy() % max(len(known), 1)
        return known.numpy(), np.bincount(places, minlength=len(known))

    found = over_texts(count, texts)
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    hashes, counts = (np.concatenate(parts) for parts in zip(*found))
    hashes, places = np.unique(hashes, return_inverse=True)
    sums = np.bincount(places, weights=counts, minlength=len(hashes))
    return hashes, sums.astype(np.int64)
