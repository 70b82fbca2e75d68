import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.layer_test import run_layer_test
from xmc_keras.data.document_batches import pad_rows
from xmc_keras.lightdxml.label_words import LabelWords

NUM_DOCUMENTS, NUM_FEATURES, NUM_LABELS = 8, 12, 6
GAINS = np.random.default_rng(1).uniform(0.5, 2, NUM_FEATURES)


def random_set(seed=0):
    """Rows of norm 1 (documents, features), one of them empty, and their labels."""
    rng = np.random.default_rng(seed)
    shape = NUM_DOCUMENTS, NUM_FEATURES
    features = rng.random(shape) * (rng.random(shape) < 0.5)
    features[1] = 0
    features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)
    labels = rng.random((NUM_DOCUMENTS, NUM_LABELS)) < 0.4
    labels[:, 2] = np.arange(NUM_DOCUMENTS) == 3  # of one document alone
    labels[:, 4] = False
    return features.astype("float32"), labels


def inputs_of(features):
    ids, weights = pad_rows(scipy.sparse.csr_matrix(features))
    return {"token_ids": ids, "token_weights": weights}


def make(features, labels, **arguments):
    layer = LabelWords(NUM_LABELS, NUM_FEATURES, **arguments)
    layer.build(None)
    layer.refresh(scipy.sparse.csr_matrix(features), scipy.sparse.csr_matrix(labels))
    layer.gains.assign(GAINS[:, None])
    return layer


def sums_of(features, labels, num_words):
    """The heaviest words of each label's sum, and where they are."""
    sums = labels.T.astype("float64") @ features
    places = np.argsort(np.argsort(-sums, axis=1, kind="stable"), axis=1)
    kept = (places < num_words) & (sums > 0)
    return np.where(kept, sums, 0), kept


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def test_is_a_keras_layer(tmp_path):
    features, labels = random_set()

    def make_layer():
        layer = LabelWords(NUM_LABELS, NUM_FEATURES, num_words=4)
        layer.build(None)
        layer.refresh(*map(scipy.sparse.csr_matrix, (features, labels)))
        return layer

    label_ids = np.tile(np.array([0, 5, 3], "int32"), (2, 1))
    inputs = [inputs_of(features[[0, 3]]), label_ids]
    run_layer_test(make_layer, inputs, [(2, 3)], tmp_path)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(1, 14))
def test_cosines(seed, num_words):
    features, labels = random_set(seed)
    layer = make(features, labels, num_words=num_words, coarse_words=2)
    words = layer.words(inputs_of(features))
    sums, _ = sums_of(features, labels, num_words)
    expected = GAINS * features @ unit(sums).T
    pool = np.array([5, 0, 4, 2], "int32")
    np.testing.assert_allclose(layer.cosines(words, pool), expected[:, pool], 0, 1e-5)
    rng = np.random.default_rng(seed)
    own = rng.integers(-1, NUM_LABELS, (NUM_DOCUMENTS, 5)).astype("int32")
    values = np.take_along_axis(expected, np.maximum(own, 0), axis=1)
    values = np.where(own < 0, 0, values)
    np.testing.assert_allclose(layer.cosines(words, own), values, 0, 1e-5)
    # The heaviest words, and then the others.
    coarse, _ = sums_of(features, labels, min(2, num_words))
    lengths = np.maximum(np.linalg.norm(sums, axis=1), 1e-12)
    coarse = GAINS * features @ coarse.T / lengths
    np.testing.assert_allclose(layer.coarse(words), coarse, 0, 1e-5)
    np.testing.assert_allclose(layer.coarse(words, 1, 4), coarse[:, 1:4], 0, 1e-5)
    every = np.tile(np.arange(NUM_LABELS, dtype="int32"), (NUM_DOCUMENTS, 1))
    rest = layer.cosines(words, every, layer.coarse_words)
    np.testing.assert_allclose(rest + coarse, expected, 0, 1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("num_words", [4, NUM_FEATURES])
def test_a_document_is_left_out(num_words, jit_compile):
    """As with sums made without it, of the words that the label has."""
    features, labels = random_set()
    layer = make(features, labels, num_words=num_words)
    _, kept = sums_of(features, labels, num_words)
    width = labels.sum(axis=1).max()
    label_ids = np.full((NUM_DOCUMENTS, width), -1, "int32")
    expected = np.zeros(label_ids.shape)
    for i in range(NUM_DOCUMENTS):
        others = np.arange(NUM_DOCUMENTS) != i
        for j, label in enumerate(np.flatnonzero(labels[i])):
            label_ids[i, j] = label
            rest = features[others & labels[:, label]].sum(axis=0) * kept[label]
            rest /= max(np.linalg.norm(rest), 1e-9)
            expected[i, j] = (GAINS * features[i]) @ rest

    @tf.function(jit_compile=jit_compile)
    def left_out(inputs):
        return layer.left_out(layer.words(inputs), label_ids)

    found = left_out(inputs_of(features)).numpy()
    np.testing.assert_allclose(found, expected, 0, 1e-4)
    assert found[3, np.flatnonzero(labels[3]).tolist().index(2)] == 0


def test_scale_and_gains_are_trained():
    features, labels = random_set()
    layer = make(features, labels, initial_scale=3.0)
    assert [v.name for v in layer.trainable_variables] == ["scale", "gains"]
    pool = np.arange(NUM_LABELS)
    with tf.GradientTape() as tape:
        logits = layer(inputs_of(features), pool)
        loss = tf.reduce_sum(logits**2)
    cosines = layer.cosines(layer.words(inputs_of(features)), pool)
    np.testing.assert_allclose(logits, 3 * cosines, 1e-5)
    found, of_gains = tape.gradient(loss, [layer.scale.value, layer.gains.value])
    np.testing.assert_allclose(found, 6 * tf.reduce_sum(cosines**2), 1e-4)
    assert isinstance(of_gains, tf.IndexedSlices)


def test_shapes_without_data():
    layer = LabelWords(NUM_LABELS, NUM_FEATURES)
    tensor = keras.KerasTensor
    inputs = {
        "token_ids": tensor((None, 7), "int32"),
        "token_weights": tensor((None, 7), "float32"),
    }
    assert layer(inputs, tensor((None, 3), "int32")).shape == (None, 3)
    assert layer(inputs, tensor((4,), "int32")).shape == (None, 4)


def test_errors():
    with pytest.raises(ValueError, match="to be positive. Received: 6, 0, 64, 8"):
        LabelWords(6, 0)
    features, labels = random_set()
    with pytest.raises(ValueError, match="12 features and 6 labels. Received: 12 and"):
        make(features, labels[:, :5])
