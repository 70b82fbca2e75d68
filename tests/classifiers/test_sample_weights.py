"""Weights of texts."""

import numpy as np
import pandas
import pytest

from xmc_keras import LightDXMLClassifier, LightXMLClassifier
from xmc_keras.classifiers.sample_weights import read_sample_weight
from xmc_keras.data.document_batches import DocumentBatches
from xmc_keras.data.inputs import build_inputs
from xmc_keras.data.token_cache import TokenCache

# Three kinds of texts. The labels of the first are disputed; the last text is left out.
GAME, EDITOR, LIBRARY = "word0a word0b", "word1a word1b", "word2a word2b"
TEXTS = [*[GAME, GAME, EDITOR, LIBRARY] * 20, "word3a"]
LABELS = [*[["play"], ["work"], ["write"], ["code"]] * 20, ["fight"]]
PLAY = [*[9.0, 1.0, 1.0, 1.0] * 20, 0.0]
WORK = [*[1.0, 9.0, 1.0, 1.0] * 20, 0.0]


@pytest.mark.parametrize(
    "given", [[3, 0, 1], np.array([3, 0, 1]), pandas.Series([3.0, 0, 1])]
)
def test_weights_of_any_sequence(given):
    kept, weights = read_sample_weight(given, 3)
    assert kept.tolist() == [0, 2] and weights.tolist() == [1.5, 0.5]


@pytest.mark.parametrize(
    "given", ["abc", [1, 2], [[1, 2, 3]], [1, -1, 1], [0, 0, 0], [1, np.nan, 1], 1.0]
)
def test_what_are_no_weights(given):
    with pytest.raises(ValueError, match="`sample_weight` to be 3 numbers"):
        read_sample_weight(given, 3)


def test_batches_have_the_weights_of_their_documents():
    tokens = TokenCache(np.arange(12), np.array([0, 3, 4, 9, 12]))
    labels = np.eye(4)
    batches = DocumentBatches(tokens, labels, 2, pad_id=0, shuffle=True)
    weighted = batches.with_weights([1.0, 2.0, 3.0, 4.0])
    seen = []
    for x, y, weights in weighted.dataset():
        assert x["label_ids"].numpy().tolist() == y.numpy().tolist()
        assert (weights.numpy() == y.numpy()[:, 0] + 1).all()
        seen += weights.numpy().tolist()
    assert sorted(seen) == [1, 2, 3, 4]
    # Weights are for training alone.
    assert len(next(iter(weighted.in_order().dataset()))) == 2
    assert len(next(iter(batches.with_weights(None).dataset()))) == 2


def answers(model):
    """The best labels of `GAME` after training with the weights of either side."""
    found = []
    for weights in (PLAY, WORK):
        model.fit(TEXTS, LABELS, sample_weight=weights)
        found += model.predict([GAME], k=1)
    assert "fight" in model.classes_ and "fight" not in model.model_.label_set.names
    assert model.num_documents_ == len(TEXTS) - 1
    return found


@pytest.mark.large
def test_a_heavier_text_counts_more():
    model = LightDXMLClassifier(
        epochs=4, embedding_dim=8, char_ngrams=None, verbose=False
    )
    assert answers(model) == [["play"], ["work"]]
    # By the linear model as well as by the classifier.
    names = model.model_.label_set.names
    inputs = build_inputs(model.model_, [GAME])
    x, ids = next(inputs.batches()), np.arange(4)[None]
    linear = model.model_.linear(x)
    steps = model.model_.classifier(model.model_.encoder(x), ids)
    for logits in (linear.numpy()[0], steps.numpy()[0]):
        assert logits[names.index("work")] > logits[names.index("play")] + 0.1


@pytest.mark.large
def test_a_heavier_text_counts_more_for_a_transformer(tiny_encoder):
    model = LightXMLClassifier(
        str(tiny_encoder),
        epochs=2,
        batch_size=8,
        max_leaf=1,
        head_start="random",
        words=False,
        num_feature_layers=2,
        learning_rate=0.003,
        head_learning_rate=0.03,
        verbose=False,
    )
    assert answers(model) == [["play"], ["work"]]
