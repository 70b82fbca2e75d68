from collections import Counter

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.text.ngrams import (
    BUCKETS,
    count_documents,
    hash_char_ngrams,
    hash_ngrams,
)
from xmc_keras.text.split_words import split_words

HASHED_TEXTS = st.lists(
    st.lists(st.sampled_from("abc"), max_size=6).map(" ".join), max_size=4
)


@settings(deadline=None, max_examples=60)
@given(HASHED_TEXTS, st.integers(1, 4))
def test_hashes_of_sequences_of_words(texts, max_ngram):
    expected = []
    for words in map(str.split, texts):
        expected.append(
            [
                " ".join(words[i : i + n])
                for n in range(1, max_ngram + 1)
                for i in range(len(words) - n + 1)
            ]
        )
    found = hash_ngrams(split_words(texts), max_ngram).to_list()
    names = sorted({name for row in expected for name in row})
    hashes = tf.strings.to_hash_bucket_fast(tf.constant(names, tf.string), BUCKETS)
    number = dict(zip(names, hashes.numpy().tolist()))
    assert len(set(number.values())) == len(names)
    assert found == [[number[name] for name in row] for row in expected]


COUNTED_TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=6).map(" ".join))


@settings(deadline=None, max_examples=60)
@given(COUNTED_TEXTS, st.integers(1, 2))
def test_document_counts(texts, max_ngram):
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


def test_document_counts_of_parts_are_added_up(monkeypatch):
    texts = [f"a{i % 7} b" for i in range(100)]
    whole = count_documents(texts)
    monkeypatch.setattr("xmc_keras.text.map_texts.MOST_CHARACTERS", 300)
    parts = count_documents(texts)
    assert all((a == b).all() for a, b in zip(whole, parts))
    assert sorted(parts[1].tolist()) == [14] * 5 + [15] * 2 + [100]


def char_ngrams(word, least, most):
    """Oracle: slices of a word with a space before and after it."""
    padded = f" {word} "
    return [
        padded[i : i + n]
        for n in range(least, most + 1)
        for i in range(len(padded) - n + 1)
    ]


def number_strings(strings):
    names = sorted(set(strings))
    hashes = tf.strings.to_hash_bucket_fast(tf.constant(names, tf.string), BUCKETS)
    return dict(zip(names, hashes.numpy().tolist()))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text(st.sampled_from("abé東😀"), min_size=1, max_size=7)),
    st.integers(2, 4),
    st.integers(0, 2),
)
def test_hashes_of_characters(words, least, more):
    lengths = least, least + more
    expected = [char_ngrams(word, *lengths) for word in words]
    number = number_strings([name for row in expected for name in row])
    found = hash_char_ngrams(tf.constant(words, tf.string), lengths)
    assert found.to_list() == [[-1 - number[name] for name in row] for row in expected]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(st.sampled_from(["a", "abc", "abcd", "bcd"])).map(" ".join), max_size=6
    )
)
def test_document_counts_of_characters(texts):
    expected = Counter()
    for text in texts:
        words = text.split()
        expected.update({("word", word) for word in words})
        expected.update({(3, n) for word in words for n in char_ngrams(word, 3, 4)})
    number = number_strings([name for _, name in expected])
    hashes, counts = count_documents(texts, char_ngrams=(3, 4))
    assert hashes.tolist() == sorted(hashes.tolist())
    assert dict(zip(hashes.tolist(), counts.tolist())) == {
        number[name] if kind == "word" else -1 - number[name]: count
        for (kind, name), count in expected.items()
    }
