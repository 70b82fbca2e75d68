"""Label cells of every make, and label lists that are vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.data.formats.document import Document
from xmc_keras.data.formats.label_vectors import LabelledDocuments
from xmc_keras.data.formats.tables.columns import Columns
from xmc_keras.data.formats.tables.label_cell import parse_label_cell
from xmc_keras.files.bad_input import BadInput

URIS = "<http://x/1> <http://x/2>"
NAMES = st.lists(
    st.text(st.characters(codec="utf-8"), max_size=8).map(
        lambda t: " ".join(t.split())
    ),
    max_size=4,
).map(lambda names: [name for name in names if name])


@settings(deadline=None, max_examples=200)
@given(NAMES, st.sampled_from([None, ",", ";", "|", "\t"]))
def test_what_python_prints_of_a_list_is_that_list(names, separator):
    assert parse_label_cell(repr(names), separator) == names
    assert parse_label_cell(repr(tuple(names)), separator) == names
    assert parse_label_cell(names, separator) == names
    assert parse_label_cell(np.array(names, object), separator) == names


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40), st.booleans())
def test_what_numpy_prints_of_an_array_is_that_array(ids, as_text):
    found = [str(number) for number in ids]
    values = np.array(found if as_text else ids)
    # An array of more than 1,000 items is printed with dots.
    assert parse_label_cell(str(values), ",") == found
    assert parse_label_cell(str(np.arange(2000))) is None


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ('["warm", "big plant"]', ["warm", "big plant"]),
        (' [ "warm" ] ', ["warm"]),
        ("['it\\'s', \"d'Or\"]", ["it's", "d'Or"]),
        ("['science, fiction' 'big']", ["science, fiction", "big"]),
        ("[3, 1]", ["3", "1"]),
        ("[0. 1. 1.]", ["0", "1", "1"]),
        ("[True, False]", ["1", "0"]),
        ("(unknown)", ["(unknown)"]),
        ("[]", []),
        ("()", []),
        ("", []),
        (None, []),
        ([1.0, 0.0], ["1", "0"]),
        ([np.True_, np.False_], None),
        (np.array([True, False]), ["1", "0"]),
        (np.int64(3), ["3"]),
        (3, ["3"]),
        ([{"uri": "x:1", "label": "warm"}, {"uri": "x:2"}], ["warm", "x:2"]),
        ('[{"label": "big plant"}]', ["big plant"]),
        (
            "[{'uri': 'x:1', 'label': 'big plant'}, {'uri': 'x:2'}]",
            ["big plant", "x:2"],
        ),
        (URIS, ["http://x/1", "http://x/2"]),
        # What nobody meant as names.
        ("{'warm', 'big'}", None),
        ("{warm,big}", None),
        ('{"warm": 1, "big": 0}', None),
        ("set()", None),
        ("frozenset({'warm'})", None),
        ("Counter({'warm': 1})", None),
        ("OrderedDict([('warm', 1)])", None),
        ("Mercury(planet)", ["Mercury(planet)"]),
        ("array(['warm'], dtype=object)", None),
        ("[warm, big plant]", None),
        ("['warm', 'big", None),
        ("[[0 1]\n [1 0]]", None),
        ('[["warm"], ["big"]]', None),
        ([["warm"]], None),
        ("('warm')", None),
        ("(warm, big)", None),
        ("(warm; big plant)", None),
        ("(warm|big)", None),
        ("<http://x/1>,<http://x/2>", None),
        ("<http://x/1><http://x/2>", None),
        ("<3", ["<3"]),
        ("<big>_plant", ["<big>_plant"]),
        ('"[""warm""]"', None),
        ("['warm', nan]", None),
        ("[None, 'warm']", None),
        ([None, "warm"], None),
        ("[0.5, 1.0]", None),
        ([{"name": 3.5}], None),
        ("nan", None),
        ("None", None),
        (float("nan"), None),
        (3.5, None),
        (True, None),
        ("[" * 100_000, None),
        ("[{[]: 1}]", None),
    ],
)
@pytest.mark.parametrize("separator", [None, "|"])
def test_label_cells(cell, names, separator):
    if separator is not None and cell is URIS:
        names = None
    assert parse_label_cell(cell, separator) == names


def test_names_with_brackets_and_a_separator():
    assert parse_label_cell("[a]|[b]", "|") == ["[a]", "[b]"]
    assert parse_label_cell("[sic] a; b", ";") == ["[sic] a", "b"]
    assert Columns(separator="\\t").names(["l"], ["a b\tc"]) == ["a b", "c"]


@pytest.mark.parametrize(
    ("cell", "is_split"),
    [
        ("warm big", True),
        ("(s)-limonene big", True),
        ("(unknown)", True),
        ('["warm"]', False),
        (["warm"], False),
        ("('warm', 'big')", False),
        (3, False),
    ],
)
def test_cells_that_are_split(cell, is_split):
    columns = Columns()
    assert columns.names(["l"], [cell])
    assert columns.split is is_split


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["0", "1", "1"], ["b", "c"]),
        (["0.0", "1.0", "0"], ["b"]),
        ([0.0, 1.0, 1], ["b", "c"]),
        ([True, False, None], ["a"]),
        (["True", "FALSE", ""], ["a"]),
        (["yes", "no", "Yes"], ["a", "c"]),
        (["0,0", "1,0", "0,0"], ["b"]),
        ([float("nan"), "x", " "], ["b"]),
        (["0", "0", "0"], []),
        (["0", "2", "1"], None),
        (["0", "-1", "1"], None),
        (["warm", "", ""], None),
        ([0.5, 1, 0], None),
    ],
)
def test_a_column_for_each_label(cells, labels):
    assert Columns().names(["a", "b", "c"], cells) == labels


def read(lists, names=None, bad=None):
    documents = [Document("text", labels, i) for i, labels in enumerate(lists, 1)]
    skip = None if bad is None else bad.append
    found = LabelledDocuments(documents, None, names, skip)
    return [document.labels for document in found]


@pytest.mark.parametrize(
    ("lists", "labels"),
    [
        (["0100", "1100"], [["1"], ["0", "1"]]),
        (["01", "10"], [["1"], ["0"]]),
        (["0101", "0101"], [["1", "3"], ["1", "3"]]),
        # Lists of ids: of several lengths and without repeats, or of one.
        (["0", "1"], [["0"], ["1"]]),
        (["01", "1"], [["0", "1"], ["1"]]),
        (["01", "12"], [["0", "1"], ["1", "2"]]),
        (["ab", "aa"], [["a", "b"], ["a", "a"]]),
    ],
)
def test_lists_of_zeros_and_ones_are_vectors(lists, labels):
    assert read(map(list, lists)) == labels


def test_vectors_with_names_and_lines_that_are_none():
    names = ["old", "new", "big"]
    assert read([["0", "1", "1"], ["1", "0", "0"]], names) == [["new", "big"], ["old"]]
    assert read([["2", "0"], ["1"]], names) == [["big", "old"], ["new"]]
    bad = []
    lists = ["010", "110", "000", "01", "012", "001", "111"]
    found = read(map(list, lists), names, bad)
    assert found == [["new"], ["old", "new"], ["big"], names]
    assert [error.line for error in bad] == [3, 4, 5]
    # A list that repeats an id, among lists of ids.
    for row in ("0 2 0 1", "7 8 7"):
        with pytest.raises(BadInput, match="different label ids.* or vectors"):
            read([["3", "4"], row.split()])
    with pytest.raises(BadInput, match="ids from 0 to 2: the label list has 3 names"):
        read([["3"], ["4", "1"]], names)
    with pytest.raises(BadInput, match="Received: warm"):
        read([["warm"]], names)
