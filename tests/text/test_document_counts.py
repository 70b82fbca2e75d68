from collections import Counter

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.text.ngrams import BUCKETS, count_documents

TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=6).map(" ".join))


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.integers(1, 2))
def test_counts(texts, max_ngram):
    expected = Counter()
    for text in texts:
        words = text.split()
        pairs = [" ".join(pair) for pair in zip(words, words[1:])]
        expected.update({*words, *(pairs if max_ngram > 1 else [])})
    hashes, counts = count_documents(texts, max_ngram)
    assert hashes.dtype == counts.dtype == np.int64
    assert (np.diff(hashes) > 0).all()
    names = tf.constant(list(expected), tf.string)
    numbers = tf.strings.to_hash_bucket_fast(names, BUCKETS).numpy().tolist()
    assert dict(zip(hashes.tolist(), counts.tolist())) == dict(
        zip(numbers, expected.values())
    )


def test_parts_are_added_up(monkeypatch):
    texts = [f"a{i % 7} b" for i in range(100)]
    whole = count_documents(texts)
    monkeypatch.setattr("xmc_keras.text.map_texts.MOST_CHARACTERS", 300)
    parts = count_documents(texts)
    assert all((a == b).all() for a, b in zip(whole, parts))
    assert sorted(parts[1].tolist()) == [14] * 5 + [15] * 2 + [100]
