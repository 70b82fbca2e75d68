import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.lightxml.dynamic_candidate_ranker import (
    MASKED_LOGIT,
    DynamicCandidateRanker,
)
from xmc_keras.serving.graph.stored_ranker import StoredRanker

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(2, 6)).astype("float32")
CANDIDATES = np.array([[4, 0, -1, 2], [1, 1, 3, -1]], "int32")


@pytest.fixture
def ranker():
    ranker = DynamicCandidateRanker(num_labels=5, bottleneck_dim=3)
    ranker(FEATURES, CANDIDATES)
    table = RNG.normal(size=(5, 3)) * [[1], [100], [0], [1e-3], [1]]
    ranker.label_embeddings.assign(table.astype("float32"))
    return ranker


def test_int8_against_numpy(ranker):
    table = ranker.label_embeddings.numpy()
    small = StoredRanker.of(ranker, "int8")
    stored = np.zeros((5, 3))
    for row, values in zip(stored, table):
        largest = max(abs(values))
        if largest > 0:
            row[:] = [round(v / largest * 127) * (largest / 127) for v in values]
    assert small.label_embeddings.value.dtype == tf.int8
    kernel, bias = ranker.bottleneck.get_weights()
    hidden = FEATURES @ kernel + bias
    expected = np.full(CANDIDATES.shape, MASKED_LOGIT)
    for i, j in [(0, 0), (0, 1), (0, 3), (1, 0), (1, 2)]:  # no pads, no repetition
        expected[i, j] = stored[CANDIDATES[i, j]] @ hidden[i] + np.log(0.01 / 0.99)
    np.testing.assert_allclose(small(FEATURES, CANDIDATES), expected, rtol=1e-4)


def test_float16_against_numpy(ranker):
    small = StoredRanker.of(ranker, "float16")
    assert small.label_embeddings.value.dtype == tf.float16
    halved = ranker.label_embeddings.numpy().astype("float16").astype("float32")
    ranker.label_embeddings.assign(halved)
    np.testing.assert_allclose(
        small(FEATURES, CANDIDATES), ranker(FEATURES, CANDIDATES), rtol=1e-5
    )


def test_only_rows_are_converted_back(ranker):
    small = StoredRanker.of(ranker, "int8")
    graph = tf.function(small.call).get_concrete_function(FEATURES, CANDIDATES).graph
    cast = [op for op in graph.get_operations() if op.type == "Cast"]
    assert all(op.inputs[0].shape != (5, 3) for op in cast)
    assert "ResourceGather" in {op.type for op in graph.get_operations()}


def test_config_round_trip(ranker):
    config = StoredRanker.of(ranker, "int8").get_config()
    assert StoredRanker.from_config(config).get_config() == config


def test_unknown_form(ranker):
    with pytest.raises(ValueError, match='"float16" or "int8". Received: int4'):
        StoredRanker.of(ranker, "int4")
