import weakref

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.layer_test import run_layer_test
from xmc_keras.labels.label_centroids import compute_centroids
from xmc_keras.lightdxml.label_proxy import (
    LabelProxy,
    compute_pair_loss,
    draw_pairs,
    train_label_proxy,
)

CENTROIDS = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


def test_is_a_keras_layer(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return LabelProxy(hidden_dim=7)

    run_layer_test(make, [CENTROIDS], [(5, 3)], tmp_path)


def test_starts_as_the_identity():
    found = LabelProxy(hidden_dim=6)(CENTROIDS)
    np.testing.assert_allclose(found, CENTROIDS, 1e-4, 1e-5)


def test_is_two_affine_maps_without_activation():
    proxy = LabelProxy(hidden_dim=2)
    proxy.build((None, 3))
    rng = np.random.default_rng(1)
    inner, b1, outer, b2 = (rng.normal(size=w.shape) for w in proxy.weights)
    proxy.set_weights([inner, b1, outer, b2])
    expected = (CENTROIDS @ inner + b1) @ outer + b2
    np.testing.assert_allclose(proxy(CENTROIDS), expected, 1e-5, 1e-5)


def test_label_proxy_errors():
    with pytest.raises(ValueError, match="Expected `hidden_dim`.*hidden_dim=0"):
        LabelProxy(0)


RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(30, 3)).astype("float32")
LABELS = RNG.random((30, 8)) < 0.3
LABELS[:, 5] = False
LABELS = scipy.sparse.csr_matrix(LABELS, dtype=np.float32)


def mean_loss(embeddings):
    """Over all pairs, one at a time."""
    losses = [
        np.log(1 + np.square(embeddings[label] - FEATURES[i]).sum())
        for i, label in zip(*LABELS.nonzero())
    ]
    return np.mean(losses)


def test_the_copy_of_the_features_is_freed_at_once(monkeypatch, no_collection):
    copies, convert = [], tf.convert_to_tensor

    def remember(value, *args, **kwargs):
        found = convert(value, *args, **kwargs)
        if value is FEATURES:
            copies.append(weakref.ref(found))
        return found

    monkeypatch.setattr(tf, "convert_to_tensor", remember)
    train_label_proxy(LabelProxy(4), FEATURES, LABELS, epochs=1)
    assert len(copies) == 1 and copies[0]() is None


def test_loss_and_gradient():
    embeddings = RNG.normal(size=(8, 3)).astype("float32")
    pairs = np.array(LABELS.nonzero())
    weights = RNG.random(pairs.shape[1]).astype("float32")
    variable = tf.Variable(embeddings)
    with tf.GradientTape() as tape:
        loss = compute_pair_loss(variable, FEATURES[pairs[0]], pairs[1], weights)
    found = tf.convert_to_tensor(tape.gradient(loss, variable))
    expected, gradient = 0.0, np.zeros((8, 3))
    for i, label, weight in zip(*pairs, weights):
        difference = embeddings[label] - FEATURES[i]
        square = np.square(difference).sum()
        expected += weight * np.log(1 + square)
        gradient[label] += weight * 2 * difference / (1 + square)
    np.testing.assert_allclose(loss, expected, 1e-5)
    np.testing.assert_allclose(found, gradient, 1e-4, 1e-5)


def test_training_betters_the_centroids():
    centroids = compute_centroids(FEATURES, LABELS)
    before = FEATURES.copy()
    keras.utils.set_random_seed(0)
    found = train_label_proxy(
        LabelProxy(16), FEATURES, LABELS, epochs=60, learning_rate=3e-3, batch_size=3
    )
    assert found.shape == (8, 3) and found.dtype == np.float32
    assert mean_loss(found) < mean_loss(centroids) - 0.01
    np.testing.assert_array_equal(FEATURES, before)


def test_training_depends_on_the_seed_alone():
    found = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        found.append(
            train_label_proxy(LabelProxy(4), FEATURES, LABELS, 2, seed=3, batch_size=4)
        )
    np.testing.assert_array_equal(*found)


def test_full_batches_descend_the_mean_of_all_pairs():
    """One step of Adam from the identity goes down the slope that NumPy finds."""
    keras.utils.set_random_seed(0)
    proxy = LabelProxy(3)
    proxy.build((None, 3))
    bias = proxy.outer.bias.numpy()
    train_label_proxy(proxy, FEATURES, LABELS, epochs=1, learning_rate=1e-3)
    embeddings = compute_centroids(FEATURES, LABELS).astype("float64")
    slope = np.zeros(3)
    for j in range(3):
        up, down = embeddings.copy(), embeddings.copy()
        up[:, j] += 1e-4
        down[:, j] -= 1e-4
        slope[j] = (mean_loss(up) - mean_loss(down)) / 2e-4
    moved = proxy.outer.bias.numpy() - bias
    np.testing.assert_allclose(moved, -1e-3 * np.sign(slope), 1e-2)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 99))
def test_pairs_of_some_labels(most, seed):
    random = np.random.default_rng(seed)
    batch = random.permutation([0, 1, 2, 3, 4, 6, 7])[:4]
    documents, places, weights = draw_pairs(LABELS.tocsc(), batch, most, random)
    for place, label in enumerate(batch):
        own = documents[places == place]
        there = np.flatnonzero(LABELS[:, [label]].toarray())
        assert set(own) <= set(there) and len(set(own)) == len(own)
        assert len(own) == min(most, len(there))
        # All of them together weigh as much as all documents of the label.
        assert weights[places == place].sum() == pytest.approx(len(there))


def test_documents_of_a_large_label_are_shown_as_often():
    labels = scipy.sparse.csc_matrix(np.ones((7, 1)))
    random, counts = np.random.default_rng(0), np.zeros(7)
    for _ in range(700):
        documents, _, _ = draw_pairs(labels, np.array([0]), 3, random)
        counts[documents] += 1
    assert counts.sum() == 2100 and abs(counts - 300).max() < 60
