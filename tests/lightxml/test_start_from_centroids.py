"""Rows at the centroids of their documents, against loops in NumPy."""

import keras
import numpy as np
import pytest

from tests.helpers import tiny_lightxml as tiny
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.lightxml.start_from_centroids import start_from_centroids

CLUSTERS = np.array([[3, 0, -1], [1, 4, 2]])
# Label 4 has no document; the last document has two labels of one cluster; 9 is a
# label that no cluster holds.
LABELS = [[0, -1], [1, 9], [3, 2], [1, 2]]


def documents(seed=0):
    ids = np.random.default_rng(seed).integers(3, 40, (4, 6)).astype("int32")
    return {"token_ids": ids, "padding_mask": ids > 0}


def make_model(**ranker):
    keras.utils.set_random_seed(0)
    model = LightXML(
        tiny.MeanEncoder(),
        ClusterGenerator(CLUSTERS, top_k=2),
        DynamicCandidateRanker(CLUSTERS.size, 3, **ranker),
        num_predictions=5,
    )
    model(documents())
    return model


def expected(features, members, scale):
    """A row of centroids, by hand; `members` are the documents of each row."""
    mean = features.mean(axis=0)
    distance = np.sqrt(np.mean([np.sum((x - mean) ** 2) for x in features]))
    # The bottleneck with a sigmoid hardly distinguishes these documents.
    distance = max(distance, 0.05 * np.sqrt(np.mean([x @ x for x in features])))
    rows = {}
    for row, own in members.items():
        centred = np.mean([features[i] for i in own], axis=0) - mean
        centred -= mean * (centred @ mean) / (mean @ mean)
        rows[row] = scale / distance * centred / np.linalg.norm(centred)
    return rows


@pytest.mark.parametrize("activation", [None, "sigmoid"])
@pytest.mark.parametrize("size", [1, 3, 4])
def test_rows_are_centroids(activation, size):
    model, x = make_model(bottleneck_activation=activation), documents()
    table = model.ranker.label_embeddings.numpy()
    batches = [
        ({name: part[i : i + size] for name, part in x.items()}, LABELS[i : i + size])
        for i in range(0, 4, size)
    ]
    batches = [(x, np.array(y, "int32")) for x, y in batches]
    bias = model.generator.bias.numpy()
    start_from_centroids(model, batches, scale=2.0)
    features = model.encoder(x).numpy()
    columns = expected(features, {0: [0, 2], 1: [1, 2, 3]}, 2.0)
    kernel = model.generator.kernel.numpy()
    np.testing.assert_allclose(kernel.T, [columns[0], columns[1]], rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(model.generator.bias, bias)
    hidden = model.ranker.bottleneck(features).numpy()
    # Rows are in the order of the clusters.
    rows = expected(hidden, {0: [2], 1: [0], 3: [1, 3], 5: [2, 3]}, 2.0)
    found = model.ranker.label_embeddings.numpy()
    for row in range(6):
        kept = row not in rows
        wanted = table[row] if kept else rows[row]
        np.testing.assert_allclose(found[row], wanted, rtol=1e-3, atol=1e-4)
    # The mean document scores what it did at random, that is, next to nothing.
    np.testing.assert_allclose(features.mean(axis=0) @ kernel, 0, atol=1e-5)


def test_the_generator_may_stay_and_there_may_be_no_ranker():
    batch = documents(), np.array(LABELS)
    model = make_model()
    before = model.generator.kernel.numpy()
    start_from_centroids(model, [batch], generator=False)
    np.testing.assert_array_equal(model.generator.kernel, before)
    rows = np.linalg.norm(model.ranker.label_embeddings, axis=1)
    assert rows[3] == pytest.approx(rows[5], rel=1e-4)
    recall = LightXML(model.encoder, model.generator, num_predictions=5)
    start_from_centroids(recall, [batch])
    assert np.abs(model.generator.kernel.numpy() - before).max() > 0.01


def test_documents_all_alike_leave_the_rows_as_they_are():
    model = make_model()
    before = [weight.numpy() for weight in model.trainable_variables]
    x = {name: np.repeat(part[:1], 4, axis=0) for name, part in documents().items()}
    start_from_centroids(model, [(x, np.array(LABELS))])
    start_from_centroids(model, [])
    for weight, earlier in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(weight, earlier)


def test_a_table_of_16_bits():
    full, half = make_model(), make_model(table_dtype="bfloat16")
    for model in (full, half):
        start_from_centroids(model, [(documents(), np.array(LABELS))])
    known = [0, 1, 3, 5]
    found, exact = (
        keras.ops.convert_to_numpy(keras.ops.cast(m.ranker.label_embeddings, "float32"))
        for m in (half, full)
    )
    np.testing.assert_allclose(found[known], exact[known], rtol=1e-2, atol=1e-2)
