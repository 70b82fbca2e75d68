import numpy as np
import pytest

from xmc_keras.text.list_texts import list_texts

TEXTS = ["sea", "", "Käse"]


class Series:
    """As a pandas Series: iterable, one dimension, an index that is no place."""

    ndim = 1

    def __init__(self, texts):
        self.texts = dict(zip((7, 3, 9), texts))

    def __iter__(self):
        return iter(self.texts.values())

    def __getitem__(self, index):
        return self.texts[index]


class Frame:
    """As a pandas DataFrame: iterating gives the names of the columns."""

    ndim = 2

    def __iter__(self):
        return iter(["text", "label"])


@pytest.mark.parametrize(
    "make",
    [list, tuple, np.array, iter, Series, lambda t: np.array(t, object)],
    ids=["list", "tuple", "array", "iterator", "series", "objects"],
)
def test_any_sequence_of_strings(make):
    assert list_texts(make(TEXTS)) == TEXTS
    assert list_texts(make([])) == []


@pytest.mark.parametrize(
    "texts, reason",
    [
        ("one text", "'one text', one string. Put it in a list."),
        (b"bytes", "b'bytes', one string"),
        (np.array("sea"), "a ndarray of 0 dimensions"),
        (np.array([["sea"]]), "a ndarray of 2 dimensions"),
        (Frame(), "a Frame of 2 dimensions. Pass one column."),
        ({"sea": 1}, "{'sea': 1} of type dict"),
        ({"sea"}, "{'sea'} of type set"),
        (None, "None of type NoneType"),
        (3, "3 of type int"),
        (["sea", None], "None of type NoneType at place 1"),
        (np.array([b"sea"]), "of type bytes_ at place 0"),
        (iter(["sea", 1.5]), "1.5 of type float at place 1"),
        ([["sea"]], r"\['sea'\] of type list at place 0"),
    ],
)
def test_what_is_no_list_of_strings(texts, reason):
    with pytest.raises(ValueError, match=f"Expected a list of strings.*{reason}"):
        list_texts(texts)
