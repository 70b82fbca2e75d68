import keras
import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.lightdxml.nearest_labels import NearestLabels, normalize_rows

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(4, 3)).astype("float32")
EMBEDDINGS = RNG.normal(size=(7, 3)).astype("float32")
EMBEDDINGS[2] = 0


def make_layer(k=5, **arguments):
    layer = NearestLabels(7, k, **arguments)
    layer.build((None, 3))
    layer.refresh(EMBEDDINGS)
    return layer


def cosines():
    a = FEATURES / np.linalg.norm(FEATURES, axis=1, keepdims=True)
    norms = np.linalg.norm(EMBEDDINGS, axis=1, keepdims=True)
    return a @ (EMBEDDINGS / np.where(norms, norms, 1)).T


@pytest.mark.parametrize("jit_compile", [False, True])
def test_finds_the_largest_cosines(jit_compile):
    expected = cosines()
    order = np.argsort(-expected, axis=1)[:, :5]
    layer = make_layer()
    ids, found = tf.function(layer, jit_compile=jit_compile)(FEATURES)
    np.testing.assert_array_equal(ids, order)
    own = np.take_along_axis(expected, order, axis=1)
    np.testing.assert_allclose(found, own, 1e-5, 1e-6)
    np.testing.assert_allclose(layer.cosines(FEATURES, ids), own, 1e-5, 1e-6)


def test_is_saved_with_its_embeddings_and_not_trained(tmp_path):
    layer = make_layer(k=9)
    assert not layer.trainable_weights
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(inputs))
    assert [o.shape for o in model.outputs] == [(None, 7)] * 2
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for a, b in zip(model.predict(FEATURES, verbose=0), again(FEATURES)):
        np.testing.assert_array_equal(a, b)


def test_features_of_half_precision():
    ids, found = make_layer(dtype="mixed_bfloat16")(tf.cast(FEATURES, "bfloat16"))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found[:, 0], cosines().max(axis=1), 0.02, 0.02)


def test_a_row_of_zeros_stays_one():
    np.testing.assert_array_equal(normalize_rows(tf.zeros((2, 3))), np.zeros((2, 3)))


@pytest.mark.parametrize("arguments", [(0, 3), (3, 0)])
def test_errors(arguments):
    with pytest.raises(ValueError, match="Expected `num_labels` and `k`.*Received"):
        NearestLabels(*arguments)


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_a_table_is_filled_some_rows_at_a_time(rows, monkeypatch):
    monkeypatch.setattr("xmc_keras.lightdxml.nearest_labels.ROWS", rows)
    norms = np.linalg.norm(EMBEDDINGS, axis=1, keepdims=True)
    expected = EMBEDDINGS / np.where(norms, norms, 1)
    layer = make_layer()
    np.testing.assert_allclose(layer.label_embeddings.numpy(), expected, atol=1e-6)


def test_embeddings_of_another_shape():
    with pytest.raises(ValueError, match=r"shape \(7, 3\). Received: \(6, 3\)"):
        make_layer().refresh(EMBEDDINGS[:6])
