import numpy as np
import pandas
import pyarrow
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from xmc_keras.classifiers.label_names import read_labels

FRAME = pandas.DataFrame({"x": [0, 1], "y": [1, 1]})


@pytest.mark.parametrize(
    "y, kind, labels, classes",
    [
        ([["b", "a"], [], ("a",)], "lists", [["b", "a"], [], ["a"]], ["a", "b"]),
        ([{"a"}, np.array(["b"])], "lists", [["a"], ["b"]], ["a", "b"]),
        (["b", "a", "b"], "single", [["b"], ["a"], ["b"]], ["a", "b"]),
        (np.array(["b", "a"]), "single", [["b"], ["a"]], ["a", "b"]),
        ([10, 9, np.int64(10)], "single", [[10], [9], [10]], [9, 10]),
        ([[10, 9], [1]], "lists", [[10, 9], [1]], [1, 9, 10]),
        ([[1, 0], [0, 1]], "lists", [[1, 0], [0, 1]], [0, 1]),
        (np.array([["a", "b"], ["b", "c"]]), "lists", [["a", "b"], ["b", "c"]], "abc"),
        (np.array([[0, 1], [1, 1]]), "indicator", [[1], [0, 1]], [0, 1]),
        (np.array([[False, True]]), "indicator", [[1]], [0, 1]),
        (scipy.sparse.csr_matrix([[0, 1.0, 0]]), "indicator", [[1]], [0, 1, 2]),
        (scipy.sparse.coo_array(np.eye(2)), "indicator", [[0], [1]], [0, 1]),
        (
            pandas.DataFrame({"x": [0, 1], "y": [1, 1]}),
            "indicator",
            [["y"], ["x", "y"]],
            "xy",
        ),
        (pandas.Series([["a"], ["b", "a"]]), "lists", [["a"], ["b", "a"]], "ab"),
        (pandas.Series(["b", "a"], index=[5, 3]), "single", [["b"], ["a"]], "ab"),
        (iter([["b"], []]), "lists", [["b"], []], "b"),
        (pyarrow.array([["b"], ["a"]]), "lists", [["b"], ["a"]], "ab"),
        (pyarrow.chunked_array([[3, 2]]), "single", [[3], [2]], [2, 3]),
        ([np.array(3), np.array(2)], "single", [[3], [2]], [2, 3]),
        ([[np.array(3)], [np.str_("a")]], "lists", [[3], ["a"]], [3, "a"]),
    ],
)
def test_forms_of_labels(y, kind, labels, classes):
    found = read_labels(y)
    assert found[0] == kind
    assert [sorted(names, key=str) for names in found[1]] == [
        sorted(names, key=str) for names in labels
    ]
    assert found[2].tolist() == list(classes)


def test_classes_in_the_order_given():
    _, labels, classes = read_labels([["b"], ["a"]], classes=["c", "b", "a"])
    assert labels == [["b"], ["a"]] and classes.tolist() == ["c", "b", "a"]
    _, labels, classes = read_labels(np.array([[0, 1]]), classes=["z", "a"])
    assert labels == [["a"]] and classes.tolist() == ["z", "a"]


@pytest.mark.parametrize(
    "y, message",
    [
        ("a", "'a' of type str"),
        (None, "None of type NoneType"),
        (7, "7 of type int"),
        (np.array(7), "array.7. of type ndarray"),
        ({"a": ["b"]}, "of type dict"),
        ({"a", "b"}, "of type set"),
        ([["a"], np.array(7)], "array.7. at place 1"),
        (["a", ["b"]], "'a' at place 0"),
        ([["a"], None], "None at place 1"),
        ([["a"], float("nan")], "nan at place 1"),
        (["a", None], "'a' at place 0"),
        ([["a", None]], "None of type NoneType at place 0"),
        ([["a"], [1.5]], "1.5 of type float at place 1"),
        ([[True]], "True of type bool"),
        ([[" a"]], "' a' at place 0"),
        ([[""]], "'' at place 0"),
        ([[1], ["1"]], "written alike"),
        ([[0, 0, 1], [1, 0, 0]], "lists of zeros and ones"),
        (np.array([[0, 2]]), "indicator of zeros and ones"),
        (np.array([[0.5, np.nan]]), "indicator of zeros and ones"),
    ],
)
def test_what_are_no_labels(y, message):
    with pytest.raises(ValueError, match=message):
        read_labels(y)


def test_integers_are_places_in_named_classes():
    names = ["sea", "sky", "sun"]
    for y in ([[2, 0], []], [np.array([2, 0]), np.array([], int)]):
        assert read_labels(y, names)[:2] == ("lists", [["sun", "sea"], []])
    assert read_labels([1, 1], names)[1] == [["sky"], ["sky"]]
    assert read_labels([["sky"], [7]], names, new=True)[1] == [["sky"], [7]]
    # Classes that are integers are labels, and no places are meant.
    assert read_labels([[5], [3]], [5, 3])[1] == [[5], [3]]
    for wrong in (3, -1):  # `datasets` has -1 for an unknown label
        for new in (False, True):
            with pytest.raises(ValueError, match=f"0 to 2. Received: {wrong}[.]"):
                read_labels([[0], [wrong]], names, new)


def test_labels_and_classes_that_do_not_fit():
    with pytest.raises(ValueError, match="labels of `classes`. Received: 'b'[.]"):
        read_labels([["a"], ["b"]], classes=["a"])
    with pytest.raises(ValueError, match="3 columns of `y`.*Received: 2"):
        read_labels(np.eye(2), classes=["a", "b", "c"])
    with pytest.raises(ValueError, match="one twice"):
        read_labels([["a"]], classes=["a", "a"])


@given(st.lists(st.lists(st.integers(0, 5), unique=True), min_size=1))
def test_an_indicator_has_the_labels_of_its_lists(lists):
    matrix = np.zeros((len(lists), 6), int)
    for row, labels in zip(matrix, lists):
        row[labels] = 1
    for form in (matrix, scipy.sparse.csr_matrix(matrix), matrix > 0):
        kind, labels, classes = read_labels(form)
        assert kind == "indicator" and classes.tolist() == list(range(6))
        assert labels == [sorted(names) for names in lists]
    _, labels, classes = read_labels([*lists, ["x"]] if not any(lists) else lists)
    assert labels[: len(lists)] == lists
