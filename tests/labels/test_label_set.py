import re
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet, read_titles

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=8
)
NAMES = NAMES.map(str.strip).filter(bool)
FEW_NAMES = st.sampled_from(["a", "b", "B", "é", "ab", "a b", "10", "9"])


def test_ids_follow_the_names_sorted_as_strings():
    label_set = LabelSet.from_labels([["b", "10"], [], ["9", "b", "B"]])
    assert label_set.names == ["10", "9", "B", "b"]
    assert len(label_set) == 4
    assert [label_set.id(name) for name in label_set.names] == [0, 1, 2, 3]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(FEW_NAMES, min_size=1, unique=True),
    st.lists(st.lists(FEW_NAMES, max_size=12), max_size=8),
)
@example(["a"], [])
@example(["a"], [[], []])
def test_encode_equals_plain_sets(names, labels):
    label_set = LabelSet(names)
    matrix = label_set.encode(labels)

    columns = list(names)
    for document in labels:
        for name in document:
            if name not in columns:
                columns.append(name)
    expected = [[float(name in document) for name in columns] for document in labels]
    assert matrix.shape == (len(labels), len(columns))
    assert matrix.dtype == np.float32
    assert matrix.toarray().tolist() == expected
    assert matrix.nnz == sum(len(set(document)) for document in labels)
    for row in range(len(labels)):
        ids = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]].tolist()
        assert ids == sorted(set(ids))

    unknown = label_set.unknown(labels)
    assert {(row, columns.index(name)) for row, name in unknown} == {
        (row, column)
        for row, column in zip(*matrix.nonzero())
        if column >= len(label_set)
    }
    assert len(unknown) == len(set(unknown))


def test_encode_is_fast_enough_for_44_thousand_documents():
    ids = np.random.default_rng(0).integers(24_000, size=(44_000, 7))
    labels = [[f"label{i}" for i in row] for row in ids.tolist()]
    label_set = LabelSet.from_labels(labels)
    start = time.process_time()
    matrix = label_set.encode(labels)
    # Takes 0.3 s; slicing a SciPy row for each document takes several seconds.
    assert time.process_time() - start < 2
    assert matrix.shape == (44_000, len(label_set))


@settings(deadline=None, max_examples=60)
@given(st.lists(NAMES, min_size=1, max_size=8, unique=True))
@example(["\ufeffa", "a"])
@example(["a\rb", "a\x85b", "a\u2028b", "a\x0bb", "\0"])
def test_save_and_load_round_trip(names):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "labels.txt")
        path.write_text("an older set\n")
        LabelSet(names).save(path)
        assert LabelSet.load(str(path)).names == names
        assert [entry.name for entry in Path(folder).iterdir()] == ["labels.txt"]


@settings(deadline=None, max_examples=60)
@example(b"a\r")
@given(
    st.binary()
    | st.lists(st.sampled_from([b"a", b"b", b"\n", b"\r", b" ", b"\xc3", b"\xa9"])).map(
        b"".join
    )
)
def test_load_any_bytes(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "labels.txt")
        path.write_bytes(content)
        try:
            label_set = LabelSet.load(path)
        except BadInput as error:
            assert str(error).startswith(str(path))
            return
        label_set.save(path)
        whole = content.removesuffix(b"\n") + b"\n"
        assert path.read_bytes() == whole.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    "content, place, message",
    [
        (b"", "", "an empty file"),
        (b"a\nb\na\n", ":3", "Expected each label name once. Received: 'a'"),
        (b"a\n\nb\n", ":2", "Received: ''"),
        (b"a\n\n", ":2", "Received: ''"),
        (b"a\nb \n", ":2", "without white space around it"),
        (b"a\nbc\xff\n", ":2", "offset 2 of the line"),
        (b"a\r\nb\r\r\n", ":2", "without white space around it"),
    ],
)
def test_load_names_path_and_line(tmp_path, content, place, message):
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=re.escape(f"{path}{place}: ")) as error:
        LabelSet.load(path)
    assert message in str(error.value)


def test_load_tolerates_other_line_ends(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"a\r\nb c")
    assert LabelSet.load(tmp_path / "labels.txt").names == ["a", "b c"]


def test_load_without_a_file(tmp_path):
    with pytest.raises(BadInput, match="labels.txt: .*No such file"):
        LabelSet.load(tmp_path / "labels.txt")
    with pytest.raises(BadInput, match="Is a directory"):
        LabelSet.load(tmp_path)


@pytest.mark.parametrize("name", ["", " a", "a\t", "a\nb", "a\u2028", "a\ud800", 3])
def test_bad_names(name):
    with pytest.raises(ValueError, match=re.escape(f"Received: {name!r}.")):
        LabelSet(["x", name])


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="once. Received: 'x'"):
        LabelSet(["x", "y", "x"])
    with pytest.raises(ValueError, match="Received: none"):
        LabelSet([])
    with pytest.raises(ValueError, match="one of the 2 names .* Received: 'z'"):
        LabelSet(["x", "y"]).id("z")
    for method in (LabelSet(["x"]).encode, LabelSet(["x"]).unknown):
        with pytest.raises(ValueError, match="Received: a string"):
            method(["x"])
    with pytest.raises(ValueError, match="Received: a string"):
        LabelSet.from_labels("xy")


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.text(st.characters(codec="utf-8")), min_size=1))
def test_titles_are_read_as_they_are_saved(titles):
    label_set = LabelSet(titles, {**titles, " other": "title"})
    expected = {name: " ".join(title.split()) for name, title in titles.items()}
    assert label_set.titles == {n: t for n, t in expected.items() if t}
    assert [label_set.title(name) for name in titles] == [
        title or name for name, title in expected.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "titles.txt")
        label_set.save_titles(path)
        assert path.read_text("utf-8").split("\n")[:-1] == list(expected.values())
        assert read_titles(path, label_set.names) == label_set.titles


@pytest.mark.parametrize(
    "content, message",
    [(b"a\n", "for 2 labels. Received: 1 lines"), (b"a\n\xff\n", "in UTF-8")],
)
def test_titles_of_other_labels(tmp_path, content, message):
    path = tmp_path / "titles.txt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message) as error:
        read_titles(path, ["x", "y"])
    assert error.value.path == path


@pytest.mark.parametrize("title", [None, 1, "\ud800"])
def test_titles_that_are_none(title):
    with pytest.raises(ValueError, match="Expected titles that are strings"):
        LabelSet(["a"], {"a": title})
