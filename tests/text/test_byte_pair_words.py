import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.gpt2_words import PATTERN
from xmc_keras.text.byte_pair_words import find_word_starts

STARTS = tf.function(
    find_word_starts,
    input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.int32)],
)


def words_of(texts):
    """Words of each text, from one call of `find_word_starts` on all texts."""
    documents = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    characters = [ord(c) for text in texts for c in text]
    starts = STARTS(np.array(characters, "int32"), documents.astype("int32")).numpy()
    found = [[] for _ in texts]
    for character, document, start in zip(characters, documents, starts, strict=True):
        if start:
            found[document].append("")
        found[document][-1] += chr(character)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "It's 1st. 'tis we'll we'LL I'd've",
        "'s's ''s !'s 's  's\n's 'sabc 'll 'l 'v 're're ' 'd",
        "a  b   c \n d\n\ne\t f  ",
        " lead\u00a0x\u00a0 y \u3000z\u2028\u2028w",
        "x²½Ⅷ१२ é漢字かな 😀😀!? a_b--c",
        "it'",
        "'",
        " ",
        "",
    ],
)
def test_words_are_those_of_the_pattern(text):
    assert words_of([text]) == [PATTERN.findall(text)]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text("ab'strevl 12\n\t.!é \u00a0\u3000漢½", max_size=12), max_size=6)
)
def test_documents_do_not_touch_each_other(texts):
    assert words_of(texts) == [PATTERN.findall(text) for text in texts]


# Assigned characters only; `regex` counts four control characters as white space.
ANY = st.characters(
    exclude_categories=["Cs", "Cn"], exclude_characters="\x1c\x1d\x1e\x1f"
)


@settings(deadline=None, max_examples=60)
@given(st.text(ANY, max_size=30))
def test_any_characters(text):
    assert words_of([text]) == [PATTERN.findall(text)]
