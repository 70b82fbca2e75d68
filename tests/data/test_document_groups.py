"""Groups of documents, and the split by them, against all sums of their sizes."""

import itertools
import lzma
from collections import Counter

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.project import PROJECT
from xmc_keras.config.config import Config
from xmc_keras.data.document_groups import draw_groups
from xmc_keras.data.documents import Documents
from xmc_keras.data.feature_documents import FeatureDocuments
from xmc_keras.data.splits import read_part, split_documents, validation_split
from xmc_keras.files.bad_input import BadInput

TEXTS, LABELS, GROUPS = "sea\nsky\nsun\n", "a\nb\na\n", "Ann\nBob\nAnn\n"


def closest(counts, size):
    """The sum of some counts that is closest to a size, the least of two, or None."""
    sums = {
        sum(chosen)
        for n in range(1, len(counts))
        for chosen in itertools.combinations(counts, n)
    }
    sums = {number for number in sums if abs(number - size) < size}
    return min(sums, key=lambda number: (abs(number - size), number), default=None)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40),
    st.data(),
    st.integers(0, 2**32 - 1),
)
def test_groups_are_whole_and_as_many_as_come_closest(groups, data, seed):
    size = data.draw(st.integers(1, len(groups) - 1))
    counts = list(Counter(groups).values())
    wanted = closest(counts, size)
    if wanted is None:
        with pytest.raises(BadInput, match="Expected (two )?groups of documents"):
            validation_split(len(groups), size, seed, groups)
        return
    train, validation = validation_split(len(groups), size, seed, groups)
    assert sorted([*train, *validation]) == list(range(len(groups)))
    assert not {groups[i] for i in train} & {groups[i] for i in validation}
    assert len(validation) == wanted and len(train)
    assert train.dtype == validation.dtype == np.int64
    again = validation_split(len(groups), size, seed, list(groups))[1]
    assert again.tolist() == validation.tolist()


def test_the_seed_and_the_names_decide_whatever_the_order():
    rng = np.random.default_rng(0)
    groups = [f"group {i}" for i in rng.integers(0, 300, 1000)]
    drawn = [groups[i] for i in np.flatnonzero(draw_groups(groups, 100, seed=4))]
    order = rng.permutation(len(groups))
    moved = [groups[i] for i in order]
    same = [moved[i] for i in np.flatnonzero(draw_groups(moved, 100, seed=4))]
    assert sorted(drawn) == sorted(same)
    other = draw_groups(groups, 100, seed=5)
    assert {groups[i] for i in np.flatnonzero(other)} != set(drawn)


def test_a_large_group_is_as_likely_as_a_small_one():
    groups = [i for i in range(20) for _ in range(1 + i % 2)]
    counts = np.zeros(20)
    for seed in range(1000):
        counts[np.unique(np.array(groups)[draw_groups(groups, 15, seed)])] += 1
    # Half of them: mean 500, standard deviation 16; the last one drawn has to fit.
    assert np.abs(counts - 500).max() < 6 * 16


def test_one_group_and_groups_that_are_too_large():
    with pytest.raises(BadInput, match="all 4 of the group 'one'.*validation_by"):
        draw_groups(["one"] * 4, 1, 0)
    groups = ["one"] * 10 + ["two"] * 12
    with pytest.raises(BadInput, match="at least 10 in each of 2 groups") as error:
        draw_groups(groups, 5, 0)
    assert "validation_documents to 10 or more" in str(error.value)
    assert draw_groups(groups, 10, 0).sum() == 10
    assert draw_groups(groups, 6, 0).sum() == 10  # closer than none


def config(**values):
    return Config(data="none", encoder="none", validation_documents=20, **values)


def test_train_documents_come_from_the_other_groups():
    groups = [f"{i % 40}" for i in range(200)]
    keys = config(validation_by="train_groups.txt", seed=3)
    rest, held_out = split_documents(keys, 200, groups)
    assert len(held_out) == 20 and len({groups[i] for i in held_out}) == 4
    few = config(validation_by="train_groups.txt", seed=3, train_documents=50)
    trained, same = split_documents(few, 200, groups)
    assert len(trained) == 50 and set(trained) <= set(rest)
    assert same.tolist() == held_out.tolist()
    # The key decides, not the documents.
    plain = split_documents(config(seed=3), 200, groups)[1]
    assert plain.tolist() == validation_split(200, 20, 3)[1].tolist()
    with pytest.raises(BadInput, match="Received: documents without.*`groups`"):
        split_documents(keys, 200)


def write(folder, groups=GROUPS, name="train_groups.txt"):
    (folder / "train_texts.txt").write_text(TEXTS)
    (folder / "train_labels.txt").write_text(LABELS)
    content = groups.encode() if isinstance(groups, str) else groups
    (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("compressed", [False, True])
def test_reading(compressed, tmp_path):
    name, content = "train_groups.txt", GROUPS.replace("Bob", " Bob \r").encode()
    if compressed:
        name, content = f"{name}.xz", lzma.compress(content)
    write(tmp_path, content, name)
    documents = read_part(tmp_path, "train", groups="train_groups.txt")
    assert documents.groups == ["Ann", "Bob", "Ann"]
    assert documents.subset([1, 2]).groups == ["Bob", "Ann"]
    assert read_part(tmp_path, "train").groups is None


def test_a_bad_line_takes_its_group_away(tmp_path):
    write(tmp_path)
    (tmp_path / "train_texts.txt").write_text("\nsky\nsun\n")
    read = read_part(tmp_path, "train", skip_bad_lines=True, groups="train_groups.txt")
    assert (read.texts, read.groups) == (["sky", "sun"], ["Bob", "Ann"])


@pytest.mark.parametrize(
    "groups, line, message",
    [
        ("Ann\nBob\n", 3, "as many lines in .*train_texts.txt .* Received: 3 and 2"),
        (GROUPS + "Cem\n", 4, "Received: 3 and 4, so this line has no counterpart"),
        ("Ann\n \nAnn\n", 2, "Expected a group. Received: an empty line"),
        (b"Ann\n\xff\nAnn\n", 2, "Expected a group. Received: invalid UTF-8"),
        ("", None, "Received: an empty file"),
    ],
)
def test_damaged_files(groups, line, message, tmp_path):
    write(tmp_path, groups)
    with pytest.raises(BadInput, match=message) as error:
        read_part(tmp_path, "train", groups="train_groups.txt")
    # The line that has no counterpart, where the files differ in length.
    named = "train_texts.txt" if line == 3 else "train_groups.txt"
    assert str(error.value.path).endswith(named)
    assert error.value.line == line


def test_a_missing_file(tmp_path):
    write(tmp_path)
    with pytest.raises(BadInput, match="Expected authors.txt in this folder.*null"):
        read_part(tmp_path, "train", groups="authors.txt")


def test_features(tmp_path):
    (tmp_path / "train.txt").write_text("3 2 9\n5,7 0:3\n 1:1\n7 1:1\n")
    (tmp_path / "train_groups.txt").write_text(GROUPS)
    read = read_part(tmp_path, "train", True, groups="train_groups.txt")
    assert read.groups == ["Ann", "Ann"]  # the second document has no label
    for content, line in (("Ann\n", 2), (GROUPS * 2, 4), ("Ann\n\nAnn\n", 2)):
        (tmp_path / "train_groups.txt").write_text(content)
        with pytest.raises(BadInput, match="Expected a (line|group)") as error:
            read_part(tmp_path, "train", True, groups="train_groups.txt")
        assert str(error.value.path).endswith("train_groups.txt")
        assert error.value.line == line


@pytest.mark.parametrize("groups", [["x"], ["x", ""], ["x", None], ["x", 1.5]])
def test_groups_in_memory(groups):
    made = Documents(["a", "b"], [["x"], ["y"]], groups=np.array([7, 8]))
    assert made.groups == ["7", "8"]
    with pytest.raises(ValueError, match="Expected (one group|the name or number)"):
        Documents(["a", "b"], [["x"], ["y"]], groups=groups)
    rows = scipy.sparse.eye(2, format="csr")
    with pytest.raises(ValueError, match="Expected (one group|the name or number)"):
        FeatureDocuments(rows, [["x"], ["y"]], [1, 2], "t", "t", groups=groups)


def test_source_packages_of_debian24k():
    folder = PROJECT / "data/debian24k"
    train = read_part(folder, "train", groups="train_groups.txt")
    assert len(set(train.groups)) == 23_756
    of = dict(zip((text.partition(":")[0] for text in train.texts), train.groups))
    source = of["libqt5gui5"]
    assert (of["python3-scipy"], source) == ("scipy", "qtbase-opensource-src")
