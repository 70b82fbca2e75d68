import collections

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.text.name_features import name_features
from xmc_keras.text.word_vectorizer import WordVectorizer

TEXT = st.lists(st.sampled_from(["sea", "season", "a", "és", "東", "!", "new"]))
TRAINED = ["sea season sea", "a és", "season a sea", "東 sea"]


def number(vectorizer, feature, kind="word"):
    """Id of a feature, or None, by its definition."""
    bucket = int(tf.strings.to_hash_bucket_fast(feature, 2**63 - 1))
    known = vectorizer.hashes.numpy().tolist()
    value = bucket if kind == "word" else -1 - bucket
    return known.index(value) if value in known else None


@settings(deadline=None, max_examples=40)
@given(TEXT.map(" ".join), st.integers(1, 3), st.sampled_from([None, (2, 3)]))
def test_names_are_the_words_that_features_are_made_of(text, max_ngram, lengths):
    vectorizer = WordVectorizer.fit(TRAINED, max_ngram=max_ngram, char_ngrams=lengths)
    words = [word for word in text.split() if word != "!"]
    expected = collections.defaultdict(collections.Counter)
    for n in range(1, max_ngram + 1):
        for start in range(len(words) - n + 1):
            name = " ".join(words[start : start + n])
            expected[number(vectorizer, name)][name] += 1
    for word in words if lengths else ():
        padded = f" {word} "
        for n in range(lengths[0], lengths[1] + 1):
            for start in range(len(padded) - n + 1):
                piece = padded[start : start + n]
                expected[number(vectorizer, piece, "chars")][word] += 1
    expected.pop(None, None)
    assert name_features(vectorizer, text) == expected
    assert set(expected) == set(vectorizer.transform([text]).indices.tolist())


@pytest.mark.parametrize("fold", [False, True])
def test_names_are_words_as_the_vectorizer_reads_them(fold):
    vectorizer = WordVectorizer.fit(["café straße"], fold_accents=fold)
    names = name_features(vectorizer, "CAFÉ, Straße; unknown").values()
    expected = {"cafe" if fold else "café", "strasse"}
    assert {name for counts in names for name in counts} == expected


@pytest.mark.parametrize("rule, words", [(1, ["ไทย"]), (2, ["ไท", "ย"])])
def test_words_are_split_by_the_rule_of_the_vectorizer(rule, words):
    hashes = np.sort(tf.strings.to_hash_bucket_fast(words, 2**63 - 1))
    vectorizer = WordVectorizer(hashes, np.ones(len(words)), rule=rule)
    named = name_features(vectorizer, "ไทย")
    assert {name for counts in named.values() for name in counts} == set(words)
