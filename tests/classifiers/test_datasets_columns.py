"""Columns of the real `datasets` as texts and labels."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from sklearn.model_selection import train_test_split

from xmc_keras import LightDXMLClassifier, read_documents
from xmc_keras.classifiers.label_names import read_labels
from xmc_keras.text.list_texts import list_texts

NAMES = ["sea", "sky", "sun"]
ROWS = {
    "text": ["a b", "c", "d"],
    "label": [0, 2, 0],
    "labels": [[0], [1, 2], []],
    "names": [["sea"], ["sky", "sun"], []],
    "pairs": [[0, 2], [1, 2], [0, 1]],
}
KINDS = Features(
    text=Value("string"),
    label=ClassLabel(names=NAMES),
    labels=List(ClassLabel(names=NAMES)),
    names=List(Value("string")),
    pairs=List(ClassLabel(names=NAMES)),
)


@pytest.fixture(scope="module")
def rows():
    return Dataset.from_dict(ROWS, KINDS)


@pytest.mark.parametrize("form", [None, "numpy", "tensorflow", "pandas", "arrow"])
def test_columns_in_all_formats(rows, form):
    data = rows.with_format(form)
    texts = list_texts(data["text"])
    assert texts == ROWS["text"] and {type(text) for text in texts} == {str}
    for name in ("label", "labels", "names", "pairs"):
        kind, labels, classes = read_labels(data[name])
        single = name == "label"
        assert kind == ("single" if single else "lists")
        assert labels == ([[one] for one in ROWS[name]] if single else ROWS[name])
        assert {type(label) for label in classes} == {str if name == "names" else int}
        if name != "names":
            _, labels, classes = read_labels(data[name], NAMES)
            assert classes.tolist() == NAMES
            expected = [
                [NAMES[i] for i in np.atleast_1d(np.array(row, int))]
                for row in ROWS[name]
            ]
            assert labels == expected


def test_streams_and_functions(rows):
    stream = rows.to_iterable_dataset()
    assert list_texts(stream["text"]) == ROWS["text"]
    assert read_labels(stream["labels"])[1] == ROWS["labels"]
    upper = rows.with_transform(
        lambda batch: {"text": [text.upper() for text in batch["text"]]}
    )
    assert list_texts(upper["text"]) == ["A B", "C", "D"]


def test_a_classifier_of_columns(tiny_data):
    train = read_documents(tiny_data, "train")
    names = sorted({label for labels in train.labels for label in labels})
    feature = ClassLabel(names=names)
    kinds = Features(text=Value("string"), labels=List(feature))
    rows = {
        "text": train.texts[:60],
        "labels": [feature.str2int(labels) for labels in train.labels[:60]],
    }
    data = Dataset.from_dict(rows, kinds).with_format("numpy")
    settings = {"embedding_dim": 8, "char_ngrams": None, "linear": False}
    model = LightDXMLClassifier(epochs=1, **settings, classes=names, verbose=False)
    held_out = data.select(range(9))
    model.fit(
        data["text"],
        data["labels"],
        validation_data=(held_out["text"], held_out["labels"]),
    )
    assert model.classes_.tolist() == names
    found = model.predict(data["text"], k=2)
    assert found == model.predict(train.texts[:60], k=2)
    # Integers and names are the same labels.
    metrics = model.evaluate(data["text"], data["labels"])
    assert metrics == model.evaluate(train.texts[:60], train.labels[:60])
    hits = [row[0] in labels for row, labels in zip(found, train.labels)]
    assert metrics["P@1"] == pytest.approx(100 * np.mean(hits)) and any(hits)
    parts = train_test_split(data["text"], data["labels"], test_size=0.25)
    assert [len(part) for part in parts] == [45, 15, 45, 15]
    assert 0 <= model.score(parts[1], parts[3]) <= 1
