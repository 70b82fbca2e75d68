import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.layer_test import run_layer_test
from xmc_keras.lightdxml.shortlist_classifier import ShortlistClassifier
from xmc_keras.lightxml.dynamic_candidate_ranker import MASKED_LOGIT

NUM_LABELS, DIM = 9, 5
FEATURES = np.random.default_rng(0).normal(size=(2, DIM)).astype("float32")
CANDIDATES = np.array([[3, 0, 8, 1], [7, 2, 3, 5]], "int32")
POOL = np.array([5, 1, 8, 0, 3, 7], "int32")
PLACES = np.array([[2, -1, 4, 0], [0, 3, -1, -1]], "int32")


def make_classifier():
    keras.utils.set_random_seed(0)
    classifier = ShortlistClassifier(NUM_LABELS, initial_probability=0.1)
    classifier.build((None, DIM))
    rng = np.random.default_rng(1)
    classifier.label_weights.assign(rng.normal(size=(NUM_LABELS, DIM)))
    classifier.label_bias.assign(rng.normal(size=NUM_LABELS))
    return classifier


def all_logits(classifier):
    weights = classifier.label_weights.numpy().astype("float64")
    return FEATURES @ weights.T + classifier.label_bias.numpy()


def test_is_a_keras_layer(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return ShortlistClassifier(NUM_LABELS)

    run_layer_test(make, [FEATURES, CANDIDATES], [(2, 4)], tmp_path)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_logits(jit_compile):
    classifier = make_classifier()
    call = tf.function(classifier, jit_compile=jit_compile)
    expected = all_logits(classifier)
    for candidates in (CANDIDATES, np.where(CANDIDATES == 3, -1, CANDIDATES)):
        own = np.take_along_axis(expected, np.maximum(candidates, 0), axis=1)
        own = np.where(candidates < 0, MASKED_LOGIT, own)
        np.testing.assert_allclose(call(FEATURES, candidates), own, 1e-5, 1e-5)
    np.testing.assert_allclose(call(FEATURES, POOL), expected[:, POOL], 1e-5, 1e-5)
    own = np.take_along_axis(expected, POOL[PLACES], axis=1)
    own = np.where(PLACES < 0, MASKED_LOGIT, own)
    np.testing.assert_allclose(call(FEATURES, POOL, PLACES), own, 1e-5, 1e-5)


@pytest.mark.parametrize("arguments", [(POOL,), (POOL, PLACES), (CANDIDATES,)])
def test_gradient_is_sparse_and_right(arguments):
    classifier = make_classifier()
    with tf.GradientTape() as tape:
        logits = classifier(FEATURES, *arguments)
        loss = tf.reduce_sum(tf.where(logits > -1e8, logits, 0.0))
    tables = [classifier.label_weights.value, classifier.label_bias.value]
    gradients = tape.gradient(loss, tables)
    assert all(isinstance(g, tf.IndexedSlices) for g in gradients)
    expected, counts = np.zeros((NUM_LABELS, DIM)), np.zeros(NUM_LABELS)
    for i in range(2):
        labels = arguments[0] if arguments[0].ndim == 1 else arguments[0][i]
        if len(arguments) == 2:
            labels = [labels[place] for place in PLACES[i] if place >= 0]
        for label in labels:
            expected[label] += FEATURES[i]
            counts[label] += 1
    found = [tf.convert_to_tensor(g) for g in gradients]
    np.testing.assert_allclose(found[0], expected, 1e-5, 1e-6)
    np.testing.assert_allclose(found[1], counts, 1e-6)


def test_best_of_all_labels():
    classifier = make_classifier()
    ids, logits = classifier.best(FEATURES, 3)
    expected = all_logits(classifier)
    order = np.argsort(-expected, axis=1)[:, :3]
    np.testing.assert_array_equal(ids, order)
    own = np.take_along_axis(expected, order, axis=1)
    np.testing.assert_allclose(logits, own, 1e-5, 1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_labels": 0}, "num_labels=0"),
        ({"num_labels": 3, "initial_probability": 1}, "initial_probability=1"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=f"Expected.*Received: .*{message}"):
        ShortlistClassifier(**arguments)


def test_places_decide_the_shape():
    shapes, dtypes = [(None, DIM), (None,), (None, 4)], ["float32", "int32", "int32"]
    logits = make_classifier()(*map(keras.KerasTensor, shapes, dtypes))
    assert logits.shape == (None, 4)
