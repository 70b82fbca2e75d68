"""generated_sets.py: the statistics that it promises."""

import itertools

import numpy as np
import pytest

from benchmarks.shared.generated_sets import SHAPES, Shape, generated_set
from xmc_keras.labels.label_clustering import cluster_labels
from xmc_keras.labels.label_features import label_features

SMALL = SHAPES["amazon670k"].scaled(0.02)


@pytest.fixture(scope="module")
def generated():
    return generated_set(SMALL)


def term_counts(features):
    """Word counts from TF-IDF: without IDF, a word that stands once weighs least."""
    frequency = np.bincount(features.indices, minlength=features.shape[1])
    idf = 1 + np.log((1 + features.shape[0]) / (1 + frequency))
    for row in features:
        weights = row.data / idf[row.indices]
        yield np.exp(weights / weights.min() - 1)


def test_shapes_are_those_of_table_2():
    # Its column of documents a label follows from the others.
    for name, documents_a_label in [("amazon670k", 3.99), ("wiki500k", 16.86)]:
        shape = SHAPES[name]
        pairs = shape.documents * shape.labels_a_document
        assert pairs / shape.labels == pytest.approx(documents_a_label, rel=2e-3)


@pytest.mark.parametrize("name", SHAPES)
def test_sizes_and_means(name):
    shape = SHAPES[name].scaled(0.002)
    features, labels = generated_set(shape)
    assert features.shape == (shape.documents, shape.features)
    assert labels.shape == (shape.documents, shape.labels)
    assert features.dtype == labels.dtype == np.float32
    assert labels.nnz == round(shape.documents * shape.labels_a_document)
    assert labels.has_canonical_format and np.all(labels.data == 1)
    assert np.diff(labels.indptr).min() >= 1
    assert np.bincount(labels.indices, minlength=shape.labels).min() >= 1
    assert features.has_canonical_format and features.data.min() > 0
    norms = np.sqrt(features.power(2).sum(axis=1))
    np.testing.assert_allclose(norms, 1, rtol=1e-5)
    words = np.mean([counts.sum() for counts in term_counts(features)])
    assert words == pytest.approx(shape.words_a_document, rel=0.02)


def test_term_counts_are_whole(generated):
    counts = np.concatenate(list(itertools.islice(term_counts(generated[0]), 200)))
    few = counts[counts < 20]
    assert len(few) > 10_000
    assert np.abs(few - np.round(few)).max() < 0.1


def test_labels_have_a_long_tail(generated):
    counts = np.bincount(generated[1].indices)
    assert np.median(counts) <= counts.mean() / 1.5
    assert counts.max() > 20 * counts.mean()


def test_features_follow_zipf(generated):
    counts = np.sort(np.bincount(generated[0].indices))[::-1]
    ranks = np.geomspace(30, len(counts) - 1, 20).astype(int)
    slope = np.polyfit(np.log(ranks), np.log(counts[ranks]), 1)[0]
    assert -1.3 < slope < -0.7


def test_there_are_clusters_to_find(generated):
    rows = label_features(*generated)

    def cosine(clusters):
        sums = [rows[labels].sum(axis=0) for labels in clusters]
        return sum(map(np.linalg.norm, sums)) / rows.shape[0]

    clusters = cluster_labels(rows, 64)
    found = cosine([row[row >= 0] for row in clusters])
    chance = np.random.default_rng(0).permutation(rows.shape[0])
    assert found > cosine(np.array_split(chance, len(clusters))) + 0.1


def test_seed_decides_and_threads_do_not():
    shape = Shape(9000, 500, 300, 3.0, 12.0)  # three parts of documents
    first, again, other = (
        generated_set(shape, seed, threads)
        for seed, threads in [(1, 1), (1, 3), (2, 3)]
    )
    for a, b, c in zip(first, again, other):
        assert (a != b).nnz == 0 and a.data.tobytes() == b.data.tobytes()
        assert (a != c).nnz > 0


def test_more_labels_than_there_are():
    with pytest.raises(ValueError, match="at most a quarter .* Received: Shape"):
        generated_set(Shape(100, 100, 10, 3.0, 12.0))
