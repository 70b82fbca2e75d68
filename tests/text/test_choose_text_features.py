import dataclasses

import numpy as np
import pytest

from xmc_keras import Config
from xmc_keras.lightdxml.build import fit_vectorizer
from xmc_keras.text.choose_text_features import choose_text_features

CHARACTERS = {"max_ngram": 1, "char_ngrams": [3, 5]}
WORDS = {"max_ngram": 1, "char_ngrams": None}
PAIRS = {"max_ngram": 2, "char_ngrams": None}
TRIPLES = {"max_ngram": 3, "char_ngrams": None}


@pytest.mark.parametrize(
    "text, number, expected, reason",
    [
        ("a title of five words", 12_000, CHARACTERS, "about 60,000 words in 12,000 t"),
        ("clínico " * 350, 750, CHARACTERS, "about 262,500 words in 750 texts are few"),
        ("word " * 39, 10_000, CHARACTERS, "about 390,000 words"),
        ("word " * 40, 10_000, WORDS, "about 400,000 words in 10,000 texts are enough"),
        ("word " * 100, 19_999, WORDS, "are enough for words alone"),
        ("word " * 50, 20_000, WORDS, "are enough for words alone"),
        ("中国古代文学史研究 XML", 9, PAIRS, "texts without spaces"),
        ("日本文学の歴史とデータ", 40_000, PAIRS, "words are up to 2 characters"),
        ("ประวัติศาสตร์วรรณคดี", 9, TRIPLES, "words are up to 3 syllables"),
        ("ភាសាខ្មែរ", 9, TRIPLES, "words are up to 3 syllables"),
        ("한국 문학의 역사", 9, CHARACTERS, "about 27 words"),
        ("", 9, CHARACTERS, "about 0 words"),
        ("", 0, CHARACTERS, "about 0 words in 0 texts"),
    ],
)
def test_features_by_facts(text, number, expected, reason):
    keys, found = choose_text_features([text] * number)
    assert {key: keys[key] for key in expected} == expected
    assert reason in found


@pytest.mark.parametrize(
    "words, number, least",
    [(9, 12_000, 1), (99, 750, 1), (100, 750, 2), (199, 750, 2), (200, 750, 5)]
    + [(358, 300, 3), (358, 20, 1), (74, 6000, 1), (100, 10_000, None)],
)
def test_texts_that_a_feature_has_to_be_in(words, number, least):
    keys, _ = choose_text_features(["word " * words] * number)
    assert keys["min_documents"] == least


def test_the_choice_is_a_valid_config():
    texts = ["Clínico y clínica", "中国古代文学史研究" * 9, "word " * 2000]
    for text, number in zip(texts, (20, 20, 1000)):
        keys, _ = choose_text_features([text] * number)
        config = Config(system="lightdxml", encoder="words")
        config = dataclasses.replace(config, **keys)
        vectorizer = fit_vectorizer(config, [text] * 20)
        assert vectorizer.max_ngram == keys["max_ngram"]
        has_characters = np.any(vectorizer.hashes.numpy() < 0)
        assert has_characters == (keys["char_ngrams"] is not None)
