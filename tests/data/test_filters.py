import gzip

import pytest

from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.data.formats.find_parts import find_parts
from xmc_keras.data.splits import read_part
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet

LABELS = LabelSet(["a", "b", "c"])


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        content = content.encode() if isinstance(content, str) else content
        (folder / f"{name}.txt").write_bytes(content)
    return folder


@pytest.fixture
def folder(tmp_path):
    """A test part of three documents; all labels of the second are filtered."""
    return write(
        tmp_path,
        test_texts="sea\nsky\nsun\n",
        test_labels="a b\nc\nc new\n",
        test_filter="b\nc a c\n\n",
    )


def test_labels_are_left_out_of_what_is_relevant(folder, caplog):
    caplog.set_level("INFO")
    documents = read_part(folder, "test")
    assert documents.labels == [["a"], [], ["c", "new"]]
    assert documents.filtered == [("b",), ("c", "a", "c"), ()]
    path = folder / "test_filter.txt"
    said = f"{path}: filtered 4 pairs of document and label, 2 of them relevant"
    assert said in caplog.text
    matrix = encode_filtered_labels(documents, LABELS)
    assert matrix.toarray().tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert encode_filtered_labels(
        documents.subset([2, 0]), LABELS
    ).toarray().tolist() == [
        [0, 0, 0],
        [0, 1, 0],
    ]
    # Still relevant, although it cannot be predicted.
    assert LABELS.encode(documents.labels).toarray()[2].tolist() == [0, 0, 1, 1]


def test_compressed_and_none_and_the_training_part(folder):
    content = (folder / "test_filter.txt").read_bytes()
    documents = read_part(folder, "test")
    (folder / "test_filter.txt").unlink()
    (folder / "test_filter.txt.gz").write_bytes(gzip.compress(content))
    assert read_part(folder, "test").filtered == documents.filtered
    (folder / "test_filter.txt.gz").unlink()
    documents = read_part(folder, "test")
    assert documents.filtered is None and documents.labels[1] == ["c"]
    assert encode_filtered_labels(documents, LABELS) is None
    for kind in ("texts", "labels"):
        (folder / f"test_{kind}.txt").rename(folder / f"train_{kind}.txt")
    (folder / "train_filter.txt").write_text("b\nc\nc\n")
    assert read_part(folder, "train").filtered is None


def test_bad_lines_keep_documents_and_filter_together(folder):
    write(folder, test_texts="sea\n\nsun\n", test_filter="b\na\nc\n")
    documents = read_part(folder, "test", skip_bad_lines=True)
    assert documents.texts == ["sea", "sun"]
    assert documents.filtered == [("b",), ("c",)] and documents.labels[1] == ["new"]


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        ("b\nc\n", r"test_texts.txt:3: .*as in .*test_filter.txt. Received: 3 and 2"),
        ("b\n\n\n\n\n", r"test_filter.txt:4: .*Received: 3 and 5, so this line has no"),
        (b"b\nc \xff\n\n", r"test_filter.txt:2: .*labels.*invalid UTF-8 at byte off"),
        ("", r"test_filter.txt: Expected one document per line. Received: an empty fi"),
    ],
)
def test_what_is_no_filter_of_these_documents(folder, content, pattern):
    write(folder, test_filter=content)
    with pytest.raises(BadInput, match=pattern):
        read_part(folder, "test")


def test_a_filter_of_other_data(folder):
    write(folder, test_filter="\nother thing\n\n")
    documents = read_part(folder, "test")
    with pytest.raises(BadInput) as error:
        encode_filtered_labels(documents, LABELS)
    assert str(error.value).startswith(f"{folder / 'test_filter.txt'}:2: Expected lab")
    assert "such as 'a'. Received: 'other' and no known label." in str(error.value)
    # An empty filter fits any data.
    write(folder, test_filter="\n\n\n")
    assert not encode_filtered_labels(read_part(folder, "test"), LABELS).nnz


def test_features_with_the_filter_file_of_the_repository(tmp_path):
    write(tmp_path, test="3 2 4\n0,2 0:1\n3 1:1\n1,3 0:2\n")
    (tmp_path / "filter_labels_test.txt").write_text("0 2\n2 3\n2 0\n")
    documents = read_part(tmp_path, "test")
    assert documents.labels == [["0"], ["3"], ["1"]]
    matrix = encode_filtered_labels(documents, LabelSet(["0", "2", "3"]))
    assert matrix.toarray().tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert documents.subset([1]).filtered == [()]
    (tmp_path / "filter_labels_test.txt").write_text("0 2\n3 0\n")
    with pytest.raises(BadInput, match="filter_labels_test.txt:2: .*below 3.*: 3"):
        read_part(tmp_path, "test")
    (tmp_path / "filter_labels_test.txt").write_text("1 7\n")
    documents = read_part(tmp_path, "test")
    with pytest.raises(BadInput, match="filter_labels_test.txt: .*Received: '7' and"):
        encode_filtered_labels(documents, LABELS)


def test_the_reader_of_folders_reads_filters(folder):
    for kind in ("texts", "labels"):
        content = (folder / f"test_{kind}.txt").read_bytes()
        (folder / f"train_{kind}.txt").write_bytes(content)
    parts = find_parts(folder, "folder")
    assert [d.filtered for d in parts["test"]] == [("b",), ("c", "a", "c"), ()]
    assert [d.filtered for d in parts["train"]] == [(), (), ()]
