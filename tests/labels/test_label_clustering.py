import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.project import PROJECT
from xmc_keras.data.documents import read_documents
from xmc_keras.labels import label_clustering, row_chunks
from xmc_keras.labels.label_clustering import (
    cluster_labels,
    compute_cluster_shape,
    group_clusters,
)
from xmc_keras.labels.label_features import document_features, label_features
from xmc_keras.labels.label_set import LabelSet

DEBIAN24K = PROJECT / "data" / "debian24k"


def random_features(num_labels, num_features=20, zero_rows=0.2, seed=0):
    """Rows of norm 1; a fraction `zero_rows` of them is zero."""
    rng = np.random.default_rng(seed)
    rows = rng.random((num_labels, num_features)) ** 3
    rows *= rng.random(rows.shape) < 0.3
    rows[rng.random(num_labels) < zero_rows] = 0
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return scipy.sparse.csr_matrix(rows / np.where(norms > 0, norms, 1), dtype="f4")


def topic_features(num_labels, num_topics, seed):
    """Rows of norm 1 of labels from overlapping topics, and each label's topic."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(num_topics, size=num_labels)
    rows = (
        rng.random((num_topics, 300))[topics] ** 8 + rng.random((num_labels, 300)) ** 8
    )
    rows[rows < 0.1] = 0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return scipy.sparse.csr_matrix(rows, dtype="f4"), topics


def total(rows):
    return np.asarray(rows.sum(axis=0)).ravel()


def unit(vector):
    return vector / (np.linalg.norm(vector) or 1)


def plain(features, max_leaf, seed):
    """Oracle: the published algorithm, except that finished leaves are kept."""
    rng = np.random.default_rng(seed)

    def clusters(labels):
        n = len(labels)
        if n <= max_leaf:
            return [labels]
        rows = features[labels]
        centroids = rows[rng.choice(n, 2, replace=False)].toarray()
        before, now = -2.0, -1.0
        while now - before >= 1e-4:
            near, far = rows @ centroids[0], rows @ centroids[1]
            order = np.argsort(far - near)
            left, right = order[: n // 2], order[n // 2 :]
            before, now = now, (near[left].sum() + far[right].sum()) / n
            centroids = [unit(total(rows[left])), unit(total(rows[right]))]
        return clusters(labels[left]) + clusters(labels[right])

    return clusters(np.arange(features.shape[0]))


def mean_cosine(features, clusters):
    """Mean over labels of the cosine to the normalised sum of their cluster."""
    parts = [features[labels] for labels in clusters]
    return sum((part @ unit(total(part))).sum() for part in parts) / features.shape[0]


def halved(n, max_leaf):
    """Cluster sizes after repeated halving, in tree order."""
    if n <= max_leaf:
        return [n]
    return halved(n // 2, max_leaf) + halved(n - n // 2, max_leaf)


def check_partition(clusters, num_labels, max_leaf):
    assert clusters.dtype == np.int32
    sizes = (clusters >= 0).sum(axis=1)
    assert sizes.tolist() == halved(num_labels, max_leaf)
    assert clusters.shape[1] == sizes.max() <= max_leaf
    for row, size in zip(clusters, sizes):
        assert np.all(np.diff(row[:size]) > 0)
        assert np.all(row[size:] == -1)
    assert sorted(clusters[clusters >= 0]) == list(range(num_labels))
    # The bounds that the docstring states.
    if num_labels > max_leaf:
        assert (max_leaf + 1) // 2 <= sizes.min() <= sizes.max() <= max_leaf
        if sizes.max() - sizes.min() > 1:
            parts = {max_leaf, (max_leaf + 1) // 2, max_leaf // 2 + 1}
            assert set(sizes.tolist()) == parts


@settings(deadline=None, max_examples=60)
@given(
    num_labels=st.integers(1, 700),
    max_leaf=st.integers(1, 120),
    seed=st.integers(0, 2**70),
    num_features=st.integers(1, 20),
    zero_rows=st.sampled_from([0, 0.2, 0.9, 1]),
)
def test_every_label_in_one_cluster(
    num_labels, max_leaf, seed, num_features, zero_rows
):
    features = random_features(num_labels, num_features, zero_rows, seed)
    clusters = cluster_labels(features, max_leaf, seed)
    check_partition(clusters, num_labels, max_leaf)


@pytest.mark.parametrize(
    ("num_labels", "sizes"),
    [
        (100, [100]),
        (101, [50, 51]),
        (200, [100] * 2),
        (201, [100, 50, 51]),
        (401, [100] * 3 + [50, 51]),
        (402, [100, 50, 51] * 2),
        (403, [100] + [50, 51] * 3),
        (801, [100] * 7 + [50, 51]),
    ],
)
def test_parts_of_max_leaf_and_one_more(num_labels, sizes):
    clusters = cluster_labels(random_features(num_labels), max_leaf=100)
    check_partition(clusters, num_labels, max_leaf=100)
    assert (clusters >= 0).sum(axis=1).tolist() == sizes


def test_one_label_a_cluster():
    clusters = cluster_labels(random_features(30), max_leaf=1, seed=5)
    np.testing.assert_array_equal(clusters, np.arange(30)[:, None])


@pytest.mark.parametrize("row", [[0, 0], [0.6, 0.8]])
def test_labels_that_are_all_alike(row):
    # A third of the rows is zero and the rest is equal: nothing to split by, and the
    # loop must end.
    rows = np.array([row] * 90 + [[0, 0]] * 45, np.float32)
    check_partition(cluster_labels(rows, 10), 135, 10)


@settings(deadline=None, max_examples=10)
@given(num_labels=st.integers(2, 500), seed=st.integers(0, 99))
def test_seed_decides_and_threads_do_not(num_labels, seed):
    features = random_features(num_labels, seed=seed)
    first = cluster_labels(features, 9, seed, num_threads=1)
    np.testing.assert_array_equal(first, cluster_labels(features, 9, seed))
    np.testing.assert_array_equal(
        first, cluster_labels(features, 9, seed, num_threads=7)
    )


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_large_parts_are_done_like_small_ones(threads):
    # Multiples of 1/16: sums are exact, in chunks or not.
    features, _ = topic_features(700, 12, seed=4)
    features.data = np.round(features.data * 16) / 16
    features.eliminate_zeros()
    expected = cluster_labels(features, 20, seed=1, num_threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_clustering, "_LARGE", 100)
        patch.setattr(row_chunks, "_CHUNK", 30)
        patch.setattr(row_chunks, "_MANY", 0)
        found = cluster_labels(features, 20, seed=1, num_threads=threads)
    check_partition(found, 700, 20)
    np.testing.assert_array_equal(found, expected)


def test_threads_do_not_matter_with_many_labels():
    features = random_features(6000, num_features=200)
    first = cluster_labels(features, 50, num_threads=1)
    np.testing.assert_array_equal(first, cluster_labels(features, 50, num_threads=2))


def test_seeds_differ():
    features = random_features(500)
    assert len({cluster_labels(features, 9, seed).tobytes() for seed in range(4)}) == 4


def test_form_of_the_matrix_does_not_matter():
    features = random_features(200)
    clusters = cluster_labels(features, 9)
    for other in (features.tocsc(), features.toarray(), features.astype(np.float64)):
        np.testing.assert_array_equal(clusters, cluster_labels(other, 9))


@pytest.mark.parametrize("num_topics", [2, 8])
def test_topics_without_a_common_word_come_apart(num_topics):
    rng = np.random.default_rng(1)
    topics = rng.permutation(np.repeat(np.arange(num_topics), 40))
    # 10 words per topic, of which each label has about 8.
    rows = np.kron(np.eye(num_topics), np.ones(10))[topics]
    rows *= rng.random(rows.shape) < 0.8
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    clusters = cluster_labels(rows, max_leaf=40)
    assert clusters.shape == (num_topics, 40)
    assert all(len(set(topics[row])) == 1 for row in clusters)


def test_neighbours_are_halves_of_one_part():
    features, _ = topic_features(400, 8, seed=0)
    deep, shallow = cluster_labels(features, 25), cluster_labels(features, 100)
    for part, quarters in zip(shallow, deep.reshape(4, 100)):
        np.testing.assert_array_equal(part, np.sort(quarters))


def check_likeness(features, max_leaf):
    ours, theirs = [], []
    for seed in range(3):
        clusters = cluster_labels(features, max_leaf, seed)
        ours.append(mean_cosine(features, [row[row >= 0] for row in clusters]))
        theirs.append(mean_cosine(features, plain(features, max_leaf, seed)))
    labels = np.random.default_rng(0).permutation(features.shape[0])
    chance = mean_cosine(features, np.array_split(labels, len(clusters)))
    assert np.mean(ours) >= np.mean(theirs) > chance + 0.02


@pytest.mark.parametrize(("num_labels", "max_leaf"), [(801, 100), (900, 30)])
def test_as_alike_as_by_the_plain_algorithm(num_labels, max_leaf):
    check_likeness(topic_features(num_labels, 40, seed=0)[0], max_leaf)


def test_as_alike_as_by_the_plain_algorithm_on_debian24k():
    documents = read_documents(DEBIAN24K, "test").subset(range(1200))
    label_matrix = LabelSet.from_labels(documents.labels).encode(documents.labels)
    features = label_features(document_features(documents.texts), label_matrix)
    check_likeness(features, max_leaf=60)


def test_halves_are_a_fixed_point():
    features, _ = topic_features(300, 6, seed=3)
    left, right = cluster_labels(features, 150)
    centroids = [unit(total(features[labels])) for labels in (left, right)]
    order = np.argsort(features @ (centroids[1] - centroids[0]))
    # The rounds end at a tolerance, so one or two labels may still be out of place.
    assert len(set(order[:150]) - set(left)) <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            dict(max_leaf=0),
            "`max_leaf` as an integer of at least 1. Received: max_leaf=0",
        ),
        (dict(max_leaf=2.5), "Received: max_leaf=2.5"),
        (dict(seed=-1), "`seed` as an integer of at least 0. Received: seed=-1"),
        (dict(seed=None), "Received: seed=None"),
        (dict(num_threads=0), "`num_threads` as an integer of at least 1"),
        (dict(label_features=np.zeros((0, 4))), r"Received: shape=\(0, 4\)"),
        (dict(label_features=np.zeros((4, 0))), r"Received: shape=\(4, 0\)"),
        (dict(label_features=[[0.5], [np.nan]]), "finite. Received: 1 values"),
        (dict(label_features=[[np.inf], [np.nan]]), "finite. Received: 2 values"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        cluster_labels(**{"label_features": np.eye(4), "max_leaf": 2, **arguments})


@settings(deadline=None, max_examples=60)
@given(num_labels=st.integers(1, 300), max_leaf=st.integers(1, 40))
def test_cluster_shape_is_the_shape_of_the_clusters(num_labels, max_leaf):
    features = scipy.sparse.eye(num_labels, 3, format="csr", dtype="f4")
    clusters = cluster_labels(features, max_leaf, num_threads=1)
    assert compute_cluster_shape(num_labels, max_leaf) == clusters.shape


@settings(deadline=None, max_examples=60)
@given(
    num_labels=st.integers(2, 900), max_leaf=st.integers(1, 40), depth=st.integers(0, 9)
)
def test_groups_are_the_parts_of_the_tree(num_labels, max_leaf, depth):
    """A part at a depth is split as if it were all labels."""
    num_clusters, _ = compute_cluster_shape(num_labels, max_leaf)
    depth = min(depth, num_clusters.bit_length() - 1)
    sizes = [num_labels]
    for _ in range(depth):
        sizes = [half for n in sizes for half in (n // 2, n - n // 2)]
    expected = [compute_cluster_shape(n, max_leaf)[0] for n in sizes]
    groups = group_clusters(num_clusters, 2**depth)
    assert (groups >= 0).sum(axis=1).tolist() == expected
    assert groups[groups >= 0].tolist() == list(range(num_clusters))
    assert groups.shape[1] == max(expected)


def test_levels_are_nested_by_likeness():
    features, _ = topic_features(400, 4, seed=0)
    clusters = cluster_labels(features, 25)
    coarse = cluster_labels(features, 100)
    groups = group_clusters(len(clusters), len(coarse))
    for group, cluster in zip(groups, coarse):
        labels = clusters[group[group >= 0]]
        assert sorted(labels[labels >= 0]) == sorted(cluster[cluster >= 0])


@pytest.mark.parametrize("num_groups", [0, 3, 8])
def test_wrong_numbers_of_groups(num_groups):
    with pytest.raises(ValueError, match=f"power of 2 of at most 7.*: {num_groups}"):
        group_clusters(7, num_groups)
