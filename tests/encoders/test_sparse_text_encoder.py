import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.layer_test import run_layer_test
from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder

NUM_FEATURES, DIM = 11, 4
INPUTS = {
    "token_ids": np.array([[3, 0, 7, -1], [7, 10, -1, -1], [5, 3, 1, 2]], "int32"),
    "token_weights": np.array(
        [[0.5, 0.2, 0.7, 9.0], [0.1, 0.9, 9.0, 9.0], [0.3, 0.3, 0.4, 0.8]], "float32"
    ),
}


def make_encoder(**arguments):
    keras.utils.set_random_seed(0)
    encoder = SparseTextEncoder(NUM_FEATURES, DIM, **arguments)
    encoder.build({"token_ids": (None, None), "token_weights": (None, None)})
    return encoder


def expected_features(encoder, token_ids, token_weights):
    """One token at a time, in float64."""
    table = encoder.token_embeddings.numpy().astype("float64")
    z = np.zeros((len(token_ids), table.shape[1]))
    for i, row in enumerate(token_ids):
        for token, weight in zip(row, token_weights[i]):
            if token >= 0:
                z[i] += weight * table[token]
    z = np.maximum(z, 0)
    if not encoder.residual:
        return z
    kernel = encoder.block.kernel.numpy().astype("float64")
    direction = encoder.block.direction.numpy()
    direction = direction / np.linalg.norm(direction)
    kernel = kernel / np.linalg.norm(direction @ kernel)
    return z + np.maximum(z @ kernel + encoder.block.bias.numpy(), 0)


@pytest.mark.parametrize("residual", [True, False])
def test_is_a_keras_layer(residual, tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return SparseTextEncoder(NUM_FEATURES, DIM, 0.5, residual)

    run_layer_test(make, [INPUTS], [(3, DIM)], tmp_path)


def test_starts_as_twice_the_sum():
    encoder, plain = make_encoder(), make_encoder(residual=False)
    plain.token_embeddings.assign(encoder.token_embeddings)
    z = expected_features(plain, *INPUTS.values())
    np.testing.assert_allclose(encoder(INPUTS), 2 * z, 1e-5, 1e-6)


@pytest.fixture(scope="module")
def trained():
    encoder = make_encoder()
    rng = np.random.default_rng(0)
    encoder.block.kernel.assign(rng.normal(size=(DIM, DIM)))
    encoder.block.bias.assign(rng.normal(size=DIM))
    encoder.token_embeddings.assign(rng.normal(size=(NUM_FEATURES, DIM)))
    ids = tf.TensorSpec([None, None], tf.int32)
    signature = {"token_ids": ids, "token_weights": tf.TensorSpec([None, None])}
    return encoder, tf.function(encoder, input_signature=[signature])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_equals_a_plain_loop(trained, data):
    encoder, call = trained
    width = data.draw(st.integers(1, 6))
    ids = st.integers(-1, NUM_FEATURES - 1)
    row = st.lists(ids, min_size=width, max_size=width)
    token_ids = np.array(data.draw(st.lists(row, min_size=1, max_size=5)), "int32")
    weights = np.random.default_rng(width).random(token_ids.shape).astype("float32")
    found = call({"token_ids": token_ids, "token_weights": weights})
    expected = expected_features(encoder, token_ids, weights)
    np.testing.assert_allclose(found, expected, 1e-4, 1e-5)


def test_only_the_rows_of_tokens_have_a_gradient(trained):
    encoder, _ = trained
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(encoder(INPUTS)))
    gradient = tape.gradient(loss, encoder.token_embeddings.value)
    assert isinstance(gradient, tf.IndexedSlices)
    ids = gradient.indices.numpy()
    assert len(set(ids)) == len(ids)
    dense = tf.convert_to_tensor(gradient).numpy()
    tokens = INPUTS["token_ids"]
    untouched = ~np.isin(np.arange(NUM_FEATURES), tokens[tokens >= 0])
    assert not dense[untouched].any()

    def loss_at(table):
        before = encoder.token_embeddings.numpy()
        encoder.token_embeddings.assign(table)
        loss = np.square(expected_features(encoder, *INPUTS.values())).sum()
        encoder.token_embeddings.assign(before)
        return loss

    table = encoder.token_embeddings.numpy()
    for place in ((3, 0), (7, 2), (10, 1)):
        step = np.zeros_like(table)
        step[place] = 1e-3
        slope = (loss_at(table + step) - loss_at(table - step)) / 2e-3
        np.testing.assert_allclose(dense[place], slope, 1e-2, 1e-2)


def test_documents_without_tokens():
    encoder = make_encoder()
    ids = np.full((2, 3), -1, "int32")
    found = encoder({"token_ids": ids, "token_weights": np.ones((2, 3), "float32")})
    np.testing.assert_array_equal(found, np.zeros((2, DIM)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_features": 0}, "num_features=0"),
        ({"num_features": 3, "dim": 0}, "dim=0"),
        ({"num_features": 3, "dropout": 1.0}, "dropout=1.0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=f"Expected.*Received: .*{message}"):
        SparseTextEncoder(**arguments)
