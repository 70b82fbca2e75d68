import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.layer_test import (
    check_config,
    check_functional_model,
    check_graph_and_xla,
    check_summary,
)
from xmc_keras.one_vs_all import sparse_one_vs_all
from xmc_keras.one_vs_all.sparse_one_vs_all import SparseOneVsAll

NUM_LABELS, NUM_FEATURES = 5, 9
# Pads at the end, in the middle, and a whole row; a word that occurs twice.
INPUTS = {
    "token_ids": np.array(
        [[3, 0, 7, -1], [8, -1, 2, 2], [-1, -1, -1, -1], [0, 8, 5, 3]], "int32"
    ),
    "token_weights": np.array(
        [[0.5, 0.2, 0.7, 9], [0.1, 9, 0.3, 0.4], [9, 9, 9, 9], [0.2, 0.3, 0.4, 0.8]],
        "float32",
    ),
}


def random_rows(seed=0, density=0.4):
    """Rows (labels, features), of which label 1 and word 5 have none, and a bias."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(NUM_LABELS, NUM_FEATURES))
    rows *= rng.random(rows.shape) < density
    rows[1] = rows[:, 5] = 0
    bias = rng.normal(size=NUM_LABELS)
    return rows.astype("float32"), bias.astype("float32")


def make_layer(rows, bias):
    rows = scipy.sparse.csr_matrix(rows)
    layer = SparseOneVsAll(*rows.shape, np.int64(rows.nnz))  # as NumPy counts
    layer.refresh(rows, bias)
    return layer


def expected_logits(rows, bias, token_ids, token_weights):
    """One word at a time, in float64."""
    logits = np.tile(bias.astype("float64"), (len(token_ids), 1))
    for i, words in enumerate(token_ids):
        for word, weight in zip(words, token_weights[i]):
            if word >= 0:
                logits[i] += weight * rows[:, word].astype("float64")
    return logits


def test_is_a_keras_layer(tmp_path):
    rows, bias = random_rows()
    layer = make_layer(rows, bias)
    logits = layer(INPUTS).numpy()
    expected = expected_logits(rows, bias, *INPUTS.values())
    np.testing.assert_allclose(logits, expected, 1e-5, 1e-6)
    assert layer.trainable_weights == []
    check_config(layer)
    check_graph_and_xla(layer, [INPUTS], [logits])
    check_summary(layer, [INPUTS], tmp_path)
    check_functional_model(layer, [INPUTS], [logits], tmp_path)
    for shapes, batch in ((None, None), ({"token_ids": (7, 3)}, 7)):
        assert layer.compute_output_shape(shapes) == (batch, NUM_LABELS)
    for policy in ("mixed_bfloat16", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        half = make_layer(rows, bias)
        assert all(weight.dtype in ("float32", "int32") for weight in half.weights)
        assert half(INPUTS).dtype == tf.float32  # of inputs in half precision
        np.testing.assert_allclose(half(INPUTS), logits, 0.01, 0.01)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.floats(0, 1), st.integers(0, 4), st.integers(0, 5))
def test_logits(seed, density, batch, width):
    rows, bias = random_rows(seed, density)
    rng = np.random.default_rng(seed)
    inputs = {
        "token_ids": rng.integers(-1, NUM_FEATURES, (batch, width)).astype("int32"),
        "token_weights": rng.normal(size=(batch, width)).astype("float32"),
    }
    logits = make_layer(rows, bias)(inputs)
    assert logits.dtype == tf.float32
    np.testing.assert_allclose(
        logits, expected_logits(rows, bias, *inputs.values()), 1e-4, 1e-5
    )


@pytest.mark.parametrize("block", [1, 4, 2**14])
@pytest.mark.parametrize("density", [0.0, 0.5, 1.0])
def test_under_xla(block, density, monkeypatch):
    """Also with no weights at all, and with blocks that the weights do not fill."""
    monkeypatch.setattr(sparse_one_vs_all, "BLOCK", block)
    rows, bias = random_rows(3, density)
    layer = make_layer(rows, bias)
    compiled = tf.function(layer, jit_compile=True)(INPUTS)
    expected = expected_logits(rows, bias, *INPUTS.values())
    np.testing.assert_allclose(compiled, expected, 1e-5, 1e-6)
    np.testing.assert_allclose(layer(INPUTS), expected, 1e-5, 1e-6)


def test_a_second_refresh_and_one_that_does_not_fit():
    rows, bias = random_rows()
    layer = make_layer(rows, bias)
    again = rows[::-1].copy()
    layer.refresh(scipy.sparse.coo_matrix(again), bias)
    expected = expected_logits(again, bias, *INPUTS.values())
    np.testing.assert_allclose(layer(INPUTS), expected, 1e-5, 1e-6)
    fewer = scipy.sparse.csr_matrix(rows)
    fewer.data[0] = 0
    fewer.eliminate_zeros()
    for wrong in (fewer, rows[:, :-1], rows[:-1]):
        with pytest.raises(ValueError, match="Expected rows of shape .* Received"):
            layer.refresh(wrong, bias)
    np.testing.assert_allclose(layer(INPUTS), expected, 1e-5, 1e-6)


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, -1)])
def test_sizes_that_are_none(sizes):
    with pytest.raises(ValueError, match="Expected `num_labels`.*Received"):
        SparseOneVsAll(*sizes)
