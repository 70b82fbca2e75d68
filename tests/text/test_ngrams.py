import unicodedata
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xmc_keras.text.ngrams import (
    BUCKETS,
    count_documents,
    hash_ngrams,
    split_words,
    to_string_tensor,
)

# Only characters of Python's oldest table: later Unicode versions do not change them.
OLD = unicodedata.ucd_3_2_0
# Those that NFKC_Casefold drops.
INVISIBLE = {0xAD, 0x34F, *range(0x115F, 0x1161), *range(0x17B4, 0x17B6), 0x2065}
INVISIBLE |= {*range(0x180B, 0x180F), *range(0x200B, 0x2010), *range(0x202A, 0x202F)}
INVISIBLE |= {*range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0}
INVISIBLE |= {*range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)}
# Names of the characters that are words of their own. "KATAKANA-HIRAGANA" are marks of
# both scripts, which are not.
ALONE = ("CJK ", "HIRAGANA ", "KATAKANA LETTER", "KATAKANA ITER", "KATAKANA DIGRAPH")
ALONE += ("IDEOGRAPHIC ITER", "VERTICAL IDEOGRAPHIC ITER", "IDEOGRAPHIC NUMBER")
ALONE += ("KATAKANA VOICED ITER", "HANGZHOU NUMERAL")


def words_by_hand(text):
    """Oracle: the rule applied to one character at a time, with Python's tables."""
    folded = unicodedata.normalize("NFC", "".join(map(nfkc_casefold, text)))
    words = [""]
    for c in folded:
        if unicodedata.category(c)[0] not in "LMN" and c != "_":
            words.append("")
        elif unicodedata.name(c, "").startswith(ALONE):
            words += [c, ""]
        else:
            words[-1] += c
    return [word for word in words if word]


def nfkc_casefold(character):
    """Unicode's property of this name: the fixed point of three maps."""
    while True:
        visible = "".join(c for c in character if ord(c) not in INVISIBLE)
        again = unicodedata.normalize("NFKC", visible.casefold())
        if again == character:
            return again
        character = again


def split(texts):
    return [[w.decode() for w in row] for row in split_words(texts).to_list()]


def test_every_old_character():
    kept = [chr(c) for c in range(0x110000) if OLD.category(chr(c)) not in ("Cn", "Cs")]
    assert len(kept) > 200_000
    texts = [f"a{c}b" for c in kept if OLD.category(c) != "Co"]
    texts += [f"a{c}b" for c in kept if OLD.category(c) == "Co"][::1000]
    different = [
        text for text, words in zip(texts, split(texts)) if words != words_by_hand(text)
    ]
    assert not different


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(max_codepoint=0x3FF, exclude_categories=["Cn"]))))
@example(["", "\0", "a\0b\nc\r\td", "é e\u0301 É", "ŉ ẞ İ ﬁ ½", "__ a_1", "😀👍🏽x"])
def test_texts_of_old_characters(texts):
    assert split(texts) == [words_by_hand(text) for text in texts]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters())))
def test_a_word_of_any_text_is_one_word(texts):
    """Splitting a word again does not change it, and it contains no space."""
    for row in split(texts):
        assert split(row) == [[word] for word in row]
        assert not any(word.split() != [word] for word in row)


def test_bytes_that_are_not_utf8():
    texts = [b"\xff\xfe abc", b"ab\xed\xa0\x80cd", b"w\xc3", b"a\xc0\xafb", b"\xe2\x82"]
    decoded = [text.decode("utf-8", "replace") for text in texts]
    assert split(tf.constant(texts)) == split(decoded)
    assert split(["a\ud800b"]) == [["a", "b"]]


def test_one_very_long_text():
    assert split(["é" * 2**20 + " x" * 2**18])[0] == ["é" * 2**20] + ["x"] * 2**18


def test_no_texts():
    assert split_words([]).shape.as_list() == [0, None]


@pytest.mark.parametrize("texts", ["text", [b"text"], [None]])
def test_what_is_no_list_of_strings(texts):
    with pytest.raises(ValueError, match="Expected a list of strings. Received: "):
        to_string_tensor(texts)


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
    found = hash_ngrams(texts, max_ngram).to_list()
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
