import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.layer_test import run_layer_test
from xmc_keras.lightxml.cluster_generator import ClusterGenerator

# Clusters of 13 labels, in no order, unequal in size, one of them empty.
CLUSTERS = [[3, 0, 12], [7, -1, -1], [-1, -1, -1], [1, 11, 5], [10, 2, -1]]
CLUSTERS += [[4, 6, 8], [9, -1, -1]]
TOP_K = 2
FEATURES = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")


def identity_generator(top_k=TOP_K, clusters=CLUSTERS):
    """A generator whose features are its cluster logits."""
    generator = ClusterGenerator(clusters, top_k)
    generator.build((None, len(clusters)))
    generator.kernel.assign(np.eye(len(clusters)))
    generator.bias.assign(np.zeros(len(clusters)))
    return generator


def cluster_of(label):
    return next(i for i, cluster in enumerate(CLUSTERS) if label in cluster)


def expected_row(logits, labels, cluster_ids):
    """Candidates of one document by plain loops."""
    positive = [cluster_of(label) for label in labels if label >= 0]
    best = sorted(
        range(len(CLUSTERS)),
        key=lambda c: (c not in positive, c not in cluster_ids, -logits[c]),
    )
    kept = best[:TOP_K]
    candidates = [label for c in kept for label in CLUSTERS[c]]
    for i, label in enumerate(labels):
        new = label >= 0 and cluster_of(label) not in kept and label not in labels[:i]
        candidates.append(label if new else -1)
    return candidates


def pad(rows):
    width = max(map(len, rows))
    return np.array([[*row, *[-1] * (width - len(row))] for row in rows], "int32")


labels_of_documents = st.lists(
    st.lists(st.integers(-1, 12), max_size=7), min_size=1, max_size=3
).map(pad)


@pytest.fixture(scope="module")
def call():
    """(logits, label_ids, cluster_ids) to the layer's outputs, traced once."""
    generator = identity_generator()
    ids = tf.TensorSpec([None, None], tf.int32)
    signature = [tf.TensorSpec([None, len(CLUSTERS)]), ids, ids]

    @tf.function(input_signature=signature)
    def call(logits, label_ids, cluster_ids):
        given = generator(logits, label_ids, cluster_ids)
        return given, generator(logits, label_ids), generator(logits)

    return lambda *args: tf.nest.map_structure(np.asarray, call(*args))


@settings(max_examples=25, deadline=None)
@given(labels_of_documents, st.data())
def test_equals_a_plain_loop(call, labels, data):
    # Logits far enough apart to be ordered as their float32 sigmoids.
    logits = [data.draw(st.permutations(range(-3, 4))) for _ in labels]
    clusters = st.lists(st.integers(-1, 6), min_size=2, max_size=2)
    cluster_ids = pad([data.draw(clusters) for _ in labels])
    all_given, labels_given, none_given = call(
        np.array(logits, "float32"), labels, cluster_ids
    )
    rows = list(zip(logits, labels.tolist(), cluster_ids.tolist()))
    for outputs, expected in [
        (all_given, [expected_row(*row) for row in rows]),
        (labels_given, [expected_row(row[0], row[1], []) for row in rows]),
        (none_given, [expected_row(row[0], [], []) for row in rows]),
    ]:
        cluster_logits, candidates, candidate_logits = outputs
        np.testing.assert_array_equal(cluster_logits, logits)
        np.testing.assert_array_equal(candidates, expected)
        for row, ids, of_ids in zip(logits, candidates, candidate_logits):
            for label, logit in zip(ids, of_ids):
                assert label < 0 or logit == row[cluster_of(label)]


def test_a_pool_holds_each_row_of_the_candidates_once():
    generator = identity_generator()
    logits = np.array([[1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1]], "float32")
    candidates = generator(logits, np.array([[2, -1], [9, 3]]))[1].numpy()
    rows, places = (x.numpy() for x in generator.pool(candidates))
    found = np.where(places < 0, -1, np.array(CLUSTERS).flat[rows[places]])
    np.testing.assert_array_equal(found, candidates)
    touched = {cluster_of(label) for label in candidates.flat if label >= 0}
    assert sorted(rows) == [3 * c + i for c in sorted(touched) for i in range(3)]


def test_rows_of_labels():
    generator = identity_generator()
    labels = np.arange(-1, 15)
    rows = generator.rows_of(labels).numpy()
    table = np.array(CLUSTERS).ravel()
    for label, row in zip(labels, rows):
        assert row == (list(table).index(label) if 0 <= label < 13 else -1)
    clusters = generator.clusters_of(labels).numpy()
    np.testing.assert_array_equal(clusters, np.where(rows < 0, -1, rows // 3))


@settings(max_examples=25, deadline=None)
@given(labels_of_documents, st.data())
def test_no_positive_is_lost_and_no_label_comes_twice(call, labels, data):
    # Sigmoids that are exactly 0 and 1, and ties.
    extremes = st.sampled_from([-1e30, -200, -100, 0, 0, 17, 100, 100, 1e30])
    row = st.lists(extremes, min_size=len(CLUSTERS), max_size=len(CLUSTERS))
    logits = np.array([data.draw(row) for _ in labels], "float32")
    cluster_ids = pad([data.draw(st.permutations(range(7))) for _ in labels])
    for outputs in call(logits, labels, cluster_ids)[:2]:
        for candidates, positives in zip(outputs[1], labels):
            assert candidates.shape == (3 * TOP_K + len(positives),)
            real = candidates[candidates >= 0].tolist()
            positives = set(positives[positives >= 0].tolist())
            assert positives <= set(real)
            assert len(set(real)) == len(real)
            assert set(real) <= set(range(13))
            # What the rest of the row offers is positives only.
            rest = candidates[3 * TOP_K :]
            assert set(rest[rest >= 0].tolist()) <= positives
            # Siblings of a positive are offered too while there is room.
            clusters = {cluster_of(label) for label in positives}
            if len(clusters) <= TOP_K:
                siblings = {label for c in clusters for label in CLUSTERS[c]} - {-1}
                assert siblings <= set(real)


def test_is_a_keras_layer_that_predicts(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return ClusterGenerator(CLUSTERS, TOP_K)

    run_layer_test(make, [FEATURES], [(4, 7), (4, 6), (4, 6)], tmp_path)


def test_is_a_keras_layer_that_trains(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return ClusterGenerator(CLUSTERS, TOP_K)

    labels = pad([[3, 7, 1], [4], [], [12, 3, -1, 9]])
    cluster_ids = pad([[0, 1, 2], [6], [], [3]])
    inputs = [FEATURES, labels, cluster_ids]
    run_layer_test(make, inputs, [(4, 7), (4, 10), (4, 10)], tmp_path)


def test_outputs_and_weights_keep_their_dtypes_in_half_precision():
    for policy in ("mixed_bfloat16", "mixed_float16"):
        generator = ClusterGenerator(CLUSTERS, TOP_K, dtype=policy)
        outputs = generator(FEATURES, pad([[3]] * 4))
        assert [str(o.dtype.name) for o in outputs] == ["float32", "int32", "float32"]
        dtypes = {w.name: w.dtype for w in generator.weights}
        assert dtypes == {
            "kernel": "float32",
            "bias": "float32",
            # Not int32, which stays in host memory, where XLA on a GPU cannot read.
            "clusters": "int64",
            "label_rows": "int64",
        }
        assert [w.name for w in generator.trainable_weights] == ["kernel", "bias"]


def test_the_table_comes_from_the_file_and_not_from_the_config(tmp_path):
    inputs = keras.Input((5,))
    generator = ClusterGenerator(CLUSTERS, TOP_K, name="generator")
    keras.Model(inputs, generator(inputs)).save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").get_layer("generator")
    np.testing.assert_array_equal(again.clusters, CLUSTERS)
    np.testing.assert_array_equal(again.label_rows, generator.label_rows)
    assert again.num_labels == 13
    # Nothing of the size of the label space is in the config.
    assert set(again.get_config()) == {
        *("name", "trainable", "dtype"),
        *("num_labels", "num_clusters", "cluster_size", "top_k"),
        "initial_probability",
    }


def test_ids_of_any_integer_dtype():
    """NumPy's integers are int64 by default."""
    generator = identity_generator()
    logits = np.arange(7, dtype="float32")[None]
    labels, cluster_ids = pad([[3, 3, 9, 0]]), pad([[5]])
    expected = generator(logits, labels, cluster_ids)
    got = generator(logits, labels.astype("int64"), cluster_ids.astype("int64"))
    for a, b in zip(got, expected):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_cluster_ids_of_labels():
    generator = identity_generator()
    # 13 and 99 are labels that the clusters do not hold: relevant, unreachable.
    clusters = generator.clusters_of(np.array([[0, 9, -1], [13, 99, 2]], "int32"))
    np.testing.assert_array_equal(clusters, [[0, 6, -1], [-1, -1, 4]])
    hot = generator.multi_hot(clusters)
    np.testing.assert_array_equal(hot, [[1, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0, 0]])


def test_starts_from_the_initial_probability():
    for probability in (0.01, 0.5):
        generator = ClusterGenerator(CLUSTERS, TOP_K, initial_probability=probability)
        logits, _, _ = generator(np.zeros((1, 5), "float32"))
        np.testing.assert_allclose(keras.ops.sigmoid(logits), [[probability] * 7], 1e-5)


def test_all_clusters_kept():
    generator = identity_generator(top_k=7)
    _, candidates, _ = generator(np.zeros((2, 7), "float32"), pad([[5, 1], [2, -1]]))
    for row in np.asarray(candidates):
        assert sorted(row[row >= 0]) == list(range(13))


def test_no_gradient_flows_through_the_choice():
    generator = identity_generator()
    logits = tf.Variable(np.arange(7, dtype="float32")[None])
    with tf.GradientTape() as tape:
        cluster_logits, _, candidate_logits = generator(logits)
        loss = tf.reduce_sum(cluster_logits[:, 0] * 5) + candidate_logits[0, 0]
    np.testing.assert_array_equal(tape.gradient(loss, logits), [[5, 0, 0, 0, 0, 0, 1]])


@pytest.mark.parametrize(
    "clusters, top_k, message",
    [
        (CLUSTERS, 0, "top_k=0, num_clusters=7"),
        (CLUSTERS, 8, "top_k=8, num_clusters=7"),
        ([[0, 1], [1, 2]], 1, r"shape \(2, 2\) with 4 label ids, 3 distinct"),
        ([[0, 1], [3, -1]], 1, "3 label ids, 3 distinct"),
        ([0, 1, 2], 1, r"shape \(3,\)"),
    ],
)
def test_errors(clusters, top_k, message):
    with pytest.raises(ValueError, match=f"Expected.*Received: .*{message}"):
        ClusterGenerator(clusters, top_k)


@pytest.mark.parametrize("probability", [0, 1, 2])
def test_error_of_the_initial_probability(probability):
    with pytest.raises(ValueError, match=f"Received: .*={probability}"):
        ClusterGenerator(CLUSTERS, TOP_K, initial_probability=probability)
