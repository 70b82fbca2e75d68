import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.lightdxml.document_words import DocumentWords, find_top_words

NUM_FEATURES = 9
IDS = np.array([[3, 0, 8, 3], [5, -1, -1, -1], [-1, -1, -1, -1]], "int32")
# The weight of a pad says nothing.
WEIGHTS = np.array([[0.5, 0.1, 0.2, 0.3], [1, 7, 7, 7], [7, 7, 7, 7]], "float32")
LABEL_IDS = np.array([[8, 3], [5, 1], [-1, -1], [2, -1], [0, 5]], "int32")
LABEL_WEIGHTS = np.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]], "float32")


def dense(ids, weights):
    rows = np.zeros((len(ids), NUM_FEATURES))
    for row, row_ids, row_weights in zip(rows, ids, weights):
        for i, weight in zip(row_ids, row_weights):
            row[i] += weight if i >= 0 else 0
    return rows


GAINS = np.random.default_rng(0).random((NUM_FEATURES, 1)).astype("float32")


@pytest.mark.parametrize("gains", [None, GAINS])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_products_and_weights(jit_compile, gains):
    documents = np.array([1, 0, 0, 2, 0], "int32")

    @tf.function(jit_compile=jit_compile)
    def look_up(ids, weights):
        words = DocumentWords(ids, weights, NUM_FEATURES, gains)
        products = words.products(LABEL_IDS, LABEL_WEIGHTS)
        of = words.weights_of, words.gains
        return products, *(f(documents, LABEL_IDS) for f in of)

    products, found, gained = look_up(IDS, WEIGHTS)
    rows = dense(IDS, WEIGHTS)
    for values, factors in ((found, 1), (gained, 1 if gains is None else gains[:, 0])):
        own = (rows * factors)[documents]
        own = np.where(LABEL_IDS < 0, 0, np.take_along_axis(own, LABEL_IDS, axis=1))
        np.testing.assert_allclose(values, own, 1e-6)
    expected = rows * factors @ dense(LABEL_IDS, LABEL_WEIGHTS).T
    np.testing.assert_allclose(products, expected, 1e-6, 1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradient_of_gains(jit_compile):
    upstream = np.random.default_rng(1).normal(size=(3, 5)).astype("float32")
    own = np.random.default_rng(2).normal(size=(3, 2)).astype("float32")
    documents, ids = np.array([2, 0, 1], "int32"), np.array([[1, 3], [8, 3], [5, -1]])

    @tf.function(jit_compile=jit_compile)
    def gradient(gains):
        with tf.GradientTape() as tape:
            tape.watch(gains)
            words = DocumentWords(IDS, WEIGHTS, NUM_FEATURES, gains)
            products = words.products(LABEL_IDS, LABEL_WEIGHTS)
            gained = words.gains(documents, ids)
            loss = tf.reduce_sum(upstream * products) + tf.reduce_sum(own * gained)
        return tf.convert_to_tensor(tape.gradient(loss, gains))

    rows = dense(IDS, WEIGHTS)
    expected = (upstream.T @ rows * dense(LABEL_IDS, LABEL_WEIGHTS)).sum(axis=0)
    for document, row_ids, values in zip(documents, ids, own):
        for i, value in zip(row_ids, values):
            expected[i] += value * rows[document, i] if i >= 0 else 0
    found = gradient(tf.constant(GAINS))
    np.testing.assert_allclose(found[:, 0], expected, 1e-5, 1e-6)


def test_documents_without_words():
    words = DocumentWords(IDS[2:], WEIGHTS[2:], NUM_FEATURES)
    products = words.products(LABEL_IDS, LABEL_WEIGHTS)
    assert products.numpy().tolist() == [[0.0] * 5]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 5))
def test_top_words_against_sorted_sums(seed, num_labels, num_words):
    rng = np.random.default_rng(seed)
    features = rng.random((6, 7)) * (rng.random((6, 7)) < 0.4)
    labels = (rng.random((6, num_labels)) < 0.3).astype("float32")
    ids, weights, lengths = find_top_words(features, labels, num_words)
    for label in range(num_labels):
        total = sum(features[i] for i in range(6) if labels[i, label]) + np.zeros(7)
        best = [i for i in np.argsort(-total) if total[i] > 0][:num_words]
        pads = [-1] * (num_words - len(best))
        assert ids[label].tolist() == best + pads
        length = np.sqrt(sum(total[best] ** 2))
        assert lengths[label] == pytest.approx(length, rel=1e-5)
        expected = [*(total[best] / max(length, 1e-12)), *np.zeros(len(pads))]
        np.testing.assert_allclose(weights[label], expected, 1e-5)
    assert (ids.dtype, weights.dtype, lengths.dtype) == ("int32", "float32", "float32")


def test_top_words_of_many_blocks_are_as_of_one(monkeypatch):
    rng = np.random.default_rng(0)
    features, labels = rng.random((30, 8)), rng.random((30, 21)) < 0.2
    whole = find_top_words(features, labels, 3)
    monkeypatch.setattr("xmc_keras.lightdxml.document_words.BLOCK", 4)
    for one, other in zip(whole, find_top_words(features, labels, 3)):
        np.testing.assert_array_equal(one, other)


def test_top_words_errors():
    with pytest.raises(ValueError, match="Expected.*Received: 2 and 3 rows"):
        find_top_words(np.eye(2), np.eye(3), 1)
    with pytest.raises(ValueError, match="Expected `num_words` >= 1. Received: 0"):
        find_top_words(np.eye(2), np.eye(2), 0)
