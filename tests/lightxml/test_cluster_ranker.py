import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.layer_test import run_layer_test
from xmc_keras.lightxml.cluster_ranker import ClusterRanker
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker

# Clusters of 13 labels, in no order, unequal in size, one of them empty.
CLUSTERS = [[3, 0, 12], [7, -1, -1], [-1, -1, -1], [1, 11, 5], [10, 2, -1]]
CLUSTERS += [[4, 6, 8], [9, -1, -1]]
TOP_K = 2
FEATURES = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")


def make_level(top_k=TOP_K, **arguments):
    keras.utils.set_random_seed(0)
    ranker = DynamicCandidateRanker(len(CLUSTERS), 4, mask_repeats=False, **arguments)
    return ClusterRanker(CLUSTERS, top_k, ranker)


def cluster_of(label):
    return next(i for i, cluster in enumerate(CLUSTERS) if label in cluster)


def expected_row(level, feature, clusters, scores, labels):
    """Logits, candidates and scores of one document by plain loops."""
    ranker = level.ranker
    hidden = feature @ ranker.bottleneck.kernel.numpy() + ranker.bottleneck.bias.numpy()
    logits = [
        hidden @ ranker.label_embeddings.numpy()[c] + np.log(0.01 / 0.99)
        for c in clusters
    ]
    logits = [x if c >= 0 else -1e9 for c, x in zip(clusters, logits)]
    products = {
        c: s / (1 + np.exp(-x)) for c, s, x in zip(clusters, scores, logits) if c >= 0
    }
    positive = [cluster_of(label) for label in labels if label >= 0]
    best = sorted(products, key=lambda c: (c not in positive, -products[c]))[:TOP_K]
    candidates, found = [], []
    for c in best:
        candidates += CLUSTERS[c]
        found += [0.0 if label < 0 else products[c] for label in CLUSTERS[c]]
    pads = 3 * (TOP_K - len(best))
    candidates, found = candidates + pads * [-1], found + pads * [0.0]
    for i, label in enumerate(labels):
        new = label >= 0 and cluster_of(label) not in best and label not in labels[:i]
        candidates.append(label if new else -1)
        # A cluster that the level above does not offer has no score.
        found.append(products.get(cluster_of(label), 0.0) if new else 0.0)
    return logits, candidates, found


@pytest.fixture(scope="module")
def call():
    level = make_level()
    level(FEATURES, np.zeros((4, 2), "int32"), np.ones((4, 2), "float32"))
    ids = tf.TensorSpec([None, None], tf.int32)
    numbers = tf.TensorSpec([None, None])
    signature = [tf.TensorSpec([None, 5]), ids, numbers, ids]
    traced = tf.function(level, signature)
    return level, lambda *args: [np.asarray(x) for x in traced(*args)]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_equals_a_plain_loop(call, data):
    level, traced = call
    width = data.draw(st.integers(TOP_K, 6))
    clusters, labels = [], []
    for _ in range(3):
        order = data.draw(st.permutations(range(7)))[:width]
        pads = data.draw(st.integers(0, width))
        clusters.append([-1 if i < pads else c for i, c in enumerate(order)])
        labels.append(data.draw(st.lists(st.integers(-1, 12), min_size=4, max_size=4)))
    scores = np.random.default_rng(len(str(clusters))).random((3, width), "float32")
    found = traced(FEATURES[:3], np.array(clusters, "int32"), scores, np.array(labels))
    for row in range(3):
        expected = expected_row(
            level, FEATURES[row], clusters[row], scores[row], labels[row]
        )
        np.testing.assert_allclose(found[0][row], expected[0], 1e-4, 1e-5)
        assert found[1][row].tolist() == expected[1]
        np.testing.assert_allclose(found[2][row], expected[2], 1e-4, 1e-7)


@pytest.mark.parametrize("labels", [pytest.param(False, marks=pytest.mark.large), True])
def test_is_a_keras_layer_that_trains(tmp_path, labels):
    candidates = np.array([[0, 3, 5], [6, 1, 2], [4, 5, 0], [3, 6, 2]], "int32")
    scores = np.random.default_rng(1).random((4, 3), "float32")
    inputs, width = [FEATURES, candidates, scores], 6
    if labels:
        inputs.append(np.array([[3, 7], [9, -1], [2, 2], [-1, -1]], "int32"))
        width = 8
    shapes = [(4, 3), (4, width), (4, width)]
    run_layer_test(make_level, inputs, shapes, tmp_path)


def test_the_table_comes_from_the_file_and_not_from_the_config(tmp_path):
    inputs = [
        keras.Input((5,)),
        keras.Input((3,), dtype="int32"),
        keras.Input((3,), dtype="float32"),
    ]
    keras.Model(inputs, make_level()(*inputs)).save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").layers[-1]
    np.testing.assert_array_equal(again.clusters, CLUSTERS)
    assert again.num_labels == 13 and again.ranker.num_labels == 7


def test_only_rows_of_candidates_have_a_gradient():
    level = make_level()
    candidates = np.array([[0, 5]], "int32")
    with tf.GradientTape() as tape:
        logits, _, scores = level(FEATURES[:1], candidates, np.ones((1, 2), "float32"))
        loss = tf.reduce_sum(logits) + tf.reduce_sum(scores)
    gradient = tape.gradient(loss, level.ranker.label_embeddings.value)
    assert isinstance(gradient, tf.IndexedSlices)
    rows = tf.reduce_any(tf.convert_to_tensor(gradient) != 0, axis=1)
    assert np.flatnonzero(rows).tolist() == [0, 5]


def test_errors():
    ranker = DynamicCandidateRanker(6, 4)
    with pytest.raises(ValueError, match="num_labels=7. Received: num_labels=6"):
        ClusterRanker(CLUSTERS, 2, ranker)
    with pytest.raises(ValueError, match="top_k=8, num_clusters=7"):
        make_level(top_k=8)
