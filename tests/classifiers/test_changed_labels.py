"""Classifiers whose labels change, and that learn corrections."""

import numpy as np
import pytest

from xmc_keras.classifiers.lightdxml_classifier import LightDXMLClassifier

TEXTS = ["a puzzle game", "a game of cards", "a text editor", "an image editor"] * 6
LABELS = [[7], [7, 3], [10], [10, 4]] * 6
CARDS = ["playing cards", "a deck of cards"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("classifier") / "model.keras"
    classifier = LightDXMLClassifier(epochs=2, verbose=False).fit(TEXTS, LABELS)
    classifier.save(path)
    return path, classifier


def test_labels_come_and_go(saved):
    classifier = saved[1]
    before = classifier.classes_.tolist()
    assert before == [3, 4, 7, 10]
    found = classifier.add_labels({12: CARDS, "deck": ["a deck of cards"]})
    assert found is classifier
    assert classifier.classes_.tolist() == [*before, 12, "deck"]
    # In the order of the model's names: 10, 3, 4, 7.
    assert classifier.label_counts_.tolist() == [12, 6, 6, 12, 2, 1]
    assert classifier.num_documents_ == 26
    assert 12 in classifier.predict(CARDS, k=2)[0]
    proba = classifier.predict_proba(CARDS)
    assert proba.shape == (2, 6) and proba[0, 4] > 0
    classifier.rename_labels({12: "cards", 7: 70})
    assert classifier.classes_.tolist() == [3, 4, 70, 10, "cards", "deck"]
    classifier.remove_labels([3, "deck"])
    assert classifier.classes_.tolist() == [4, 70, 10, "cards"]
    assert classifier.label_counts_.tolist() == [12, 6, 12, 2]
    assert classifier.predict_proba(CARDS).shape == (2, 4)
    assert "cards" in classifier.predict(CARDS, k=2)[0]
    assert (
        0 <= classifier.evaluate(TEXTS, [[70], [70], [10], [10, 4]] * 6)["P@1"] <= 100
    )


def test_learning(saved):
    classifier = LightDXMLClassifier.load(saved[0])
    texts, labels = ["cards", "a puzzle"], [[10], [10, "new"]]
    before = classifier.predict_proba(texts)
    column = classifier.classes_.tolist().index(10)
    classifier.learn(texts, labels)
    assert classifier.classes_.tolist() == [3, 4, 7, 10, "new"]
    after = classifier.predict_proba(texts)
    assert (after[:, column].toarray() > before[:, column].toarray()).all()
    assert classifier.label_counts_.tolist() == [14, 6, 6, 12, 1]
    np.testing.assert_array_equal(classifier._columns, [3, 0, 1, 2, 4])


@pytest.mark.parametrize(
    "change",
    [
        lambda classifier: classifier.add_labels({3: ["a"]}),
        lambda classifier: classifier.add_labels({"new": []}),
        lambda classifier: classifier.remove_labels([99]),
        lambda classifier: classifier.rename_labels({3: 7}),
        lambda classifier: classifier.learn(["a"], []),
        lambda classifier: classifier.learn([" "], [[3]]),
    ],
)
def test_bad_changes(saved, change):
    classifier = LightDXMLClassifier.load(saved[0])
    before = classifier.classes_.tolist()
    with pytest.raises(ValueError, match="Expected .* Received"):
        change(classifier)
    assert classifier.classes_.tolist() == before
