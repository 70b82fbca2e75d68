"""Whether documents can be trained on and evaluated: counted in plain Python."""

import logging

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from xmc_keras import BadInput, Documents, LabelSet
from xmc_keras.data.check_documents import (
    check_labels_known,
    check_split,
    check_trainable,
)
from xmc_keras.data.feature_documents import FeatureDocuments

# Three documents; q is twice on the second one, and new to some of the sets.
DOCUMENTS = Documents(
    ["a", "b", "c"], [["x", "q"], ["y", "q", "q"], ["r"]], [1, 3, 4], "t", "l.txt"
)


@pytest.mark.parametrize(
    "known, expected",
    [
        ("qrxy", None),
        ("qrx", "1 of 5 label occurrences (1 labels)"),
        ("xy", "3 of 5 label occurrences (2 labels)"),
        ("r", "4 of 5 label occurrences (3 labels)"),
    ],
)
def test_one_line_says_how_many_labels_are_unknown(known, expected, caplog):
    caplog.set_level(logging.INFO)
    check_labels_known(DOCUMENTS, LabelSet(list(known)))
    lines = [(record.levelno, record.getMessage()) for record in caplog.records]
    if expected is None:
        assert not lines
        return
    rest = "in l.txt are not in the training data; they count as relevant and"
    assert lines == [(logging.INFO, f"{expected} {rest} cannot be predicted.")]


def test_documents_of_no_file(caplog):
    caplog.set_level(logging.INFO)
    check_labels_known(Documents(["a"], [["x", "new"]]), LabelSet(["x"]))
    assert "1 of 2 label occurrences (1 labels) in these documents" in caplog.text
    # Without labels there is nothing that could be of other data.
    check_labels_known(Documents(["a"], [[]]), LabelSet(["x"]))


def test_labels_of_other_data():
    with pytest.raises(BadInput) as error:
        check_labels_known(DOCUMENTS, LabelSet(["z"]))
    message = "l.txt:1: Expected labels of the training part, such as 'z'. Received: "
    assert str(error.value).startswith(f"{message}'x' and 3 others. None is known: ")
    rows = csr_matrix(np.eye(2, dtype="float32"))
    features = FeatureDocuments(rows, [[], ["7"]], [None, None], "x.npz", "y.npz")
    with pytest.raises(BadInput, match=r"^y.npz: Expected .* Received: '7'. None is"):
        check_labels_known(features, LabelSet(["z"]))


@pytest.mark.parametrize(
    "labels, message",
    [
        ([["x"]] * 2, "^t.txt: Expected at least 3 documents .* Received: 2.$"),
        ([], "^t.txt: .* Received: 0.$"),
        ([[]] * 5, "^l.txt: Expected labels to train on"),
    ],
)
def test_what_cannot_be_trained_on(labels, message):
    paths = "t.txt", "l.txt"
    lines = list(range(1, 1 + len(labels)))
    documents = Documents(["a"] * len(labels), labels, lines, *paths)
    with pytest.raises(BadInput, match=message):
        check_trainable(documents)


def test_texts_and_features_without_any_word():
    labels, paths = [["x"]] * 4, ("t.txt", "l.txt")
    for text in ("!?", "", "\N{WHITE SMILING FACE}"):
        documents = Documents([text] * 4, labels, [1, 2, 3, 4], *paths)
        with pytest.raises(BadInput, match="^t.txt: Expected texts .*ne in 4 docum"):
            check_trainable(documents)
        check_trainable(
            Documents([*[text] * 3, "\N{CJK UNIFIED IDEOGRAPH-6728}"], labels)
        )
    rows = FeatureDocuments(csr_matrix((4, 9)), labels, [None] * 4, *paths)
    with pytest.raises(BadInput, match="^t.txt: Expected features with at least one v"):
        check_trainable(rows)


def test_a_validation_split_with_all_labels():
    train = Documents(["a", "b"], [[], []], [1, 3], "t.txt", "l.txt")
    with pytest.raises(BadInput, match="^l.txt: .* none on 2; those.*split_seed, or l"):
        check_split(train, Documents(["c"], [["x"]]), LabelSet(["x"]))


@pytest.mark.parametrize(
    "held_out, missing, validates",
    [
        ([["x"], ["y"]], 0, True),
        ([["z"], ["x", "z"]], 1, True),
        ([["z"], ["w", "z"]], 2, False),
        ([[], []], 0, False),
    ],
)
def test_a_validation_split_that_knows_no_label(held_out, missing, validates, caplog):
    train = [["x"], [], ["y", "x"]]
    labels = LabelSet.from_labels(train + held_out)
    parts = [Documents(["a"] * len(part), part) for part in (train, held_out)]
    check_split(*parts, labels)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (missing > 0) + (not validates)
    if missing:
        assert said[0].startswith(f"{missing} of {len(labels)} labels have no training")
    if not validates:
        assert said[-1].startswith("None of the 2 validation documents has a label of")
