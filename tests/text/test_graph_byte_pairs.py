import pytest
import regex
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.gpt2_words import PATTERN
from xmc_keras.text.graph_byte_pairs import GraphBytePairs, bytes_to_letters


def by_hand(text, vocabulary, merges):
    """Oracle: merges the best, leftmost pair of each word until none is left."""
    ranks = {tuple(m.split(" ")): i for i, m in enumerate(merges)}
    letters, found = bytes_to_letters(), []
    for word in PATTERN.findall(text):
        pieces = [letters[b] for b in word.encode()]
        pieces = [piece for piece in pieces if piece in vocabulary]
        while True:
            pairs = [
                (ranks[pair], i)
                for i, pair in enumerate(zip(pieces, pieces[1:]))
                if pair in ranks
            ]
            if not pairs:
                break
            _, i = min(pairs)
            pieces[i : i + 2] = ["".join(pieces[i : i + 2])]
        found += [vocabulary[piece] for piece in pieces]
    return found


def vocabulary_of(merges, letters=None):
    pieces = list(bytes_to_letters() if letters is None else letters)
    pieces += ["".join(m.split(" ")) for m in merges]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def learnt(order):
    """Merges of pieces that exist at that point, chosen by the numbers of `order`."""
    pieces, merges = list("abĠ"), []
    for i, j in order:
        left, right = pieces[i % len(pieces)], pieces[j % len(pieces)]
        merge = f"{left} {right}"
        if merge not in merges and len(left + right) < 9:
            merges.append(merge)
            pieces.append(left + right)
    return merges


NUMBERS = st.integers(0, 1000)
ORDERS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12)
TEXTS = st.lists(st.text("ab ", max_size=20), max_size=4)


@settings(deadline=None, max_examples=40)
@given(ORDERS, TEXTS, st.randoms(use_true_random=False))
def test_any_merges(order, texts, rng):
    merges = learnt(order)
    # Shuffled, a merge may use a piece that only a later merge creates.
    shuffled = rng.sample(merges, len(merges))
    for some in (merges, shuffled):
        vocabulary = vocabulary_of(some)
        byte_pairs = GraphBytePairs(vocabulary, some)
        found = byte_pairs(tf.constant(texts, tf.string, [len(texts)])).to_list()
        assert found == [by_hand(text, vocabulary, some) for text in texts]


def test_both_ways_to_merge_are_met():
    assert GraphBytePairs(vocabulary_of(["a a", "aa a"]), ["a a", "aa a"])._in_order
    merges = ["aa a", "a a"]
    byte_pairs = GraphBytePairs(vocabulary_of(merges), merges)
    assert not byte_pairs._in_order
    text = "a" * 11
    assert byte_pairs(tf.constant([text])).to_list() == [
        by_hand(text, vocabulary_of(merges), merges)
    ]


FEW = ["Ã ©", "a b", "Ġ a", "ab a", "Ġ Ġ"]


@pytest.fixture(scope="module")
def of_few():
    """Traced functions of texts, one per maximum number of ids."""
    byte_pairs = GraphBytePairs(vocabulary_of(FEW), FEW)
    signature = [tf.TensorSpec([None], tf.string)]

    def function(most):
        found = lambda texts: byte_pairs(texts, most)  # noqa: E731
        return tf.function(found, signature, autograph=False)

    return {most: function(most) for most in (None, 1, 2, 6)}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(max_size=20), max_size=4), st.sampled_from([1, 2, 6]))
def test_any_text_and_only_the_first_ids(of_few, texts, most):
    texts = [regex.sub(r"[\x00\x1c-\x1f\p{Cs}\p{Cn}]", "", text) for text in texts]
    vocabulary = vocabulary_of(FEW)
    tensor = tf.constant([t.encode() for t in texts], tf.string, [len(texts)])
    expected = [by_hand(text, vocabulary, FEW) for text in texts]
    assert of_few[None](tensor).to_list() == expected
    assert of_few[most](tensor).to_list() == [ids[:most] for ids in expected]


def test_bytes_without_a_piece_are_dropped():
    merges = ["a b"]
    vocabulary = vocabulary_of(merges, "ab")
    found = GraphBytePairs(vocabulary, merges)(tf.constant(["axb a", "xyz", "é"]))
    assert found.to_list() == [[2, 0], [], []]


def test_prefix_space():
    merges = ["Ġ a"]
    vocabulary = vocabulary_of(merges)
    byte_pairs = GraphBytePairs(vocabulary, merges, add_prefix_space=True)
    found = byte_pairs(tf.constant(["a", " a", "\na", "a\na", ""])).to_list()
    a, newline, space = (vocabulary[x] for x in ("Ġa", "Ċ", "Ġ"))
    after = vocabulary["a"]
    assert found == [[a], [a], [space, newline, after], [a, newline, after], []]


def test_merges_may_have_a_version():
    vocabulary = vocabulary_of(["a b"])
    byte_pairs = GraphBytePairs(vocabulary, ["#version: 0.2", "a b"])
    assert byte_pairs(tf.constant(["ab"])).to_list() == [[vocabulary["ab"]]]
    assert GraphBytePairs(vocabulary, [])(tf.constant(["ab"])).row_lengths()[0] == 2


def test_a_merge_without_its_piece():
    with pytest.raises(ValueError, match="in the vocabulary. Received: 'ab'"):
        GraphBytePairs({"a": 0, "b": 1}, ["a b"])
