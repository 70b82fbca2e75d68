"""Trainings that go on from the model of the one before."""

import types

import numpy as np
import pytest

from tests.helpers.tiny_data import WORDS
from xmc_keras import LightDXMLClassifier, LightXMLClassifier, fit
from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.loops.warm_start import start_lightdxml

LABELS = [[name] for name in list(WORDS)[:6]] * 12
TEXTS = [" ".join(WORDS[names[0]][i % 2 : i % 2 + 2]) for i, names in enumerate(LABELS)]
NEW_TEXTS, NEW_LABELS = ["word9a word9b", "word9b word9c"] * 6, [["new"]] * 12


def weights_of(model):
    return [weight.numpy() for weight in model.weights]


@pytest.fixture(scope="module")
def transformer(tiny_encoder):
    model = LightXMLClassifier(
        str(tiny_encoder),
        epochs=4,
        batch_size=8,
        max_leaf=2,
        top_k=2,
        words=False,
        num_feature_layers=2,
        learning_rate=0.003,
        head_learning_rate=0.03,
        warm_start=True,
        verbose=False,
    )
    return model.fit(TEXTS, LABELS)


@pytest.mark.large
def test_a_transformer_goes_on(transformer, tmp_path):
    first, before = transformer.model_, weights_of(transformer.model_)
    # From a file, and without a step that counts.
    transformer.save(tmp_path / "model.keras")
    again = LightXMLClassifier.load(tmp_path / "model.keras")
    again.set_params(learning_rate=1e-9, head_learning_rate=1e-9, epochs=1)
    scores = again.fit(TEXTS, LABELS).predict_proba(TEXTS[:6])
    expected = transformer.predict_proba(TEXTS[:6])
    np.testing.assert_allclose(scores.toarray(), expected.toarray(), atol=1e-4)
    assert (again.clusters_ == transformer.clusters_).all()
    # With a new label the heads are others, and the encoder is the one before.
    again.fit(TEXTS + NEW_TEXTS, LABELS + NEW_LABELS)
    assert again.predict(["word9a word9c", TEXTS[0]], k=1) == [["new"], LABELS[0]]
    encoders = first.encoder, again.model_.encoder
    for own, other in zip(*(map(np.array, part.weights) for part in encoders)):
        np.testing.assert_allclose(own, other, atol=1e-6)
    # The first model stays as it was.
    for own, other in zip(before, weights_of(first)):
        assert (own == other).all()


@pytest.mark.large
def test_words_go_on():
    model = LightDXMLClassifier(
        epochs=3,
        embedding_dim=8,
        char_ngrams=None,
        linear=False,
        warm_start=True,
        verbose=False,
    )
    model.fit(TEXTS, LABELS)
    first, before = model.model_, weights_of(model.model_)
    model.set_params(learning_rate=1e-9, head_learning_rate=1e-9, epochs=1)
    model.fit(TEXTS + NEW_TEXTS, LABELS + NEW_LABELS)
    second = model.model_
    assert model.config_.embedding_dim == 8 and model.config_.linear is False
    # Rows of the same words and labels; in the second model, "new" is the last.
    places = np.searchsorted(second.vectorizer.hashes, first.vectorizer.hashes)
    hashes = [part.vectorizer.hashes.numpy() for part in (first, second)]
    assert (hashes[1][places] == hashes[0]).all()
    for rows, table, earlier in (
        (places, second.encoder.token_embeddings, first.encoder.token_embeddings),
        (
            np.arange(6),
            second.classifier.label_weights,
            first.classifier.label_weights,
        ),
    ):
        np.testing.assert_allclose(table.numpy()[rows], earlier.numpy(), atol=1e-5)
    assert model.predict(["word9a word9c"], k=1) == [["new"]]
    for own, other in zip(before, weights_of(first)):
        assert (own == other).all()
    narrow = types.SimpleNamespace(
        vectorizer=first.vectorizer, encoder=SparseTextEncoder(12, dim=4)
    )
    with pytest.raises(BadInput, match="embedding_dim=4 .* Received: 8"):
        start_lightdxml(first, narrow)


def test_a_model_of_the_other_system_is_refused(transformer):
    model = LightDXMLClassifier(epochs=1, verbose=False)
    config = model._choose(transformer._documents, "auto")
    with pytest.raises(ValueError, match="a model of lightdxml. Received: LightXML"):
        fit(config, transformer._documents, start_from=transformer.model_)
