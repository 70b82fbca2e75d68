"""A LightDXML with a linear member, in NumPy, in a graph and under XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.tiny_lightdxml import (
    make_lightdxml,
    make_with_linear,
    make_with_words,
    rows_of,
    scores_with_linear,
)
from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.one_vs_all.sparse_one_vs_all import SparseOneVsAll

TEXTS = ["sea sky", "mud mud air", "", "sun", "x", "sky sea sun air mud"]


@pytest.mark.parametrize("make", [make_lightdxml, make_with_words])
@pytest.mark.parametrize("beta, candidates", [(1.0, 5), (1.0, 2), (0.9, 5)])
def test_outputs(make, beta, candidates):
    model = make_with_linear(make, beta=beta, num_candidates=candidates)
    every, candidate = scores_with_linear(model, TEXTS)
    inputs = rows_of(model, TEXTS)
    compiled = tf.function(model, jit_compile=True)
    for outputs in (model(inputs), tf.function(model)(inputs), compiled(inputs)):
        chosen = outputs["predicted_ids"].numpy()
        assert candidate[np.arange(len(TEXTS))[:, None], chosen].all()
        scores = np.take_along_axis(every, chosen, axis=1)
        np.testing.assert_allclose(outputs["scores"], scores, 0, 1e-5)
        best = -np.sort(-np.where(candidate, every, -1), axis=1)[:, : chosen.shape[1]]
        np.testing.assert_allclose(outputs["scores"], best, 0, 1e-5)


def test_logits_of_given_labels_are_those_of_candidates():
    model = make_with_linear(make_with_words)
    inputs = rows_of(model, TEXTS)
    outputs, words = model(inputs), model.read_words(inputs)
    logits = model.logits(model.encoder(inputs), outputs["candidates"], words)
    np.testing.assert_allclose(logits, outputs["logits"], 0, 1e-5)


def test_training_does_not_read_it():
    """It is joined after training: the logits to learn from are without it."""
    keys = {"candidates_from": "classifier", "beta": 1.0}
    plain, model = make_lightdxml(**keys), make_with_linear()
    inputs = rows_of(model, TEXTS)
    shortlist = np.tile(np.array([[2, 3]], "int32"), (len(TEXTS), 1))
    inputs |= {"label_ids": shortlist[:, :1] - 2, "shortlist": shortlist}
    found = [
        part
        for one in (plain, model)
        for part in tf.nest.flatten(one(inputs, training=True))
    ]
    half = len(found) // 2
    for ours, theirs in zip(found[:half], found[half:], strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-5, 1e-5)
    assert model.linear.trainable_weights == []


def test_a_file_has_its_weights(tmp_path):
    model = make_with_linear()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.linear.get_config() == model.linear.get_config()
    for ours, theirs in zip(model.linear.get_weights(), loaded.linear.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    assert loaded.recommend(TEXTS, 3) == model.recommend(TEXTS, 3)


def test_a_config_of_an_earlier_version():
    config = make_lightdxml().get_config()
    del config["linear"]
    assert LightDXML.from_config(config).linear is None


def test_candidates_by_embeddings():
    linear = SparseOneVsAll(6, 9, 0)
    with pytest.raises(ValueError, match='`candidates_from` "classifier" with `lin'):
        make_lightdxml(linear=linear)
