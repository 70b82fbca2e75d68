import gzip
import logging
import lzma
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.project import PROJECT
from xmc_keras.data.documents import (
    Documents,
    documents_digest,
    read_documents,
    read_pair,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import START, check_start
from xmc_keras.labels.label_set import LabelSet

DEBIAN = PROJECT / "data/debian24k"
COMPRESS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
BOM = b"\xef\xbb\xbf"

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r")).filter(
    lambda text: text.strip() and not text.startswith("\ufeff")
)
LABELS = st.lists(
    st.text(st.characters(codec="utf-8")).filter(
        lambda name: name.split() == [name] and not name.startswith("\ufeff")
    ),
    min_size=1,
    max_size=4,
)
# Random bytes seldom give two files with equal numbers of lines; these pieces do.
PIECES = [b"a", b"b", b" ", b"\r", b"\xff", BOM, b"\xc2\x85", b"\xe2\x80\xa8", b"\x0c"]
LINES = st.lists(st.lists(st.sampled_from(PIECES), max_size=3).map(b"".join))
FILES = st.binary() | LINES.map(b"\n".join)


def write(folder, texts, labels, suffix="", part="train"):
    texts_path = Path(folder, f"{part}_texts.txt{suffix}")
    labels_path = Path(folder, f"{part}_labels.txt{suffix}")
    texts_path.write_bytes(COMPRESS[suffix](texts))
    labels_path.write_bytes(COMPRESS[suffix](labels))
    return texts_path, labels_path


def plain_lines(content):
    """Oracle of the reader: the lines of a file, `None` for one that is not UTF-8."""
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    decoded = []
    for number, line in enumerate(lines):
        if line.endswith(b"\r"):
            line = line[:-1]
        try:
            text = str(line, "utf-8")
        except UnicodeDecodeError:
            text = None
        if text is not None and number == 0 and text.startswith("\ufeff"):
            text = text[1:]
        decoded.append(text)
    return decoded


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(TEXTS, LABELS), min_size=1, max_size=6),
    st.sampled_from(["", ".gz", ".xz"]),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.booleans(),
)
@example([("a\u2028b\x0bc\x0cd\x85e\0", ["x"])], "", b"\n", False, True)
def test_round_trip(pairs, suffix, newline, final_newline, bom):
    contents = [
        [text.encode() for text, _ in pairs],
        [" \t".join(names).encode() for _, names in pairs],
    ]
    contents = [
        BOM * bom + newline.join(lines) + newline * final_newline for lines in contents
    ]
    with tempfile.TemporaryDirectory() as folder:
        texts_path, labels_path = write(folder, *contents, suffix)
        documents = read_documents(folder, "train")
    assert documents.texts == [text for text, _ in pairs]
    assert documents.labels == [names for _, names in pairs]
    assert documents.lines == list(range(1, len(pairs) + 1))
    assert documents.texts_path == str(texts_path)
    assert documents.labels_path == str(labels_path)
    assert documents.skipped == 0


def is_other(data):
    """Whether a file is refused by its first bytes, such as a database."""
    try:
        check_start("", data[:START])
    except BadInput:
        return True
    return False


@settings(deadline=None, max_examples=60)
@given(FILES, FILES)
@example(b"\0", b"SQLite format 3\0")
@example(b"a\nb", b"x\n\n")
@example(b"a\n\xff\nb\n", b"x\ny\n \r\n")
@example(BOM, BOM)
def test_any_bytes(texts, labels):
    expected_texts, expected_labels = plain_lines(texts), plain_lines(labels)
    same_length = len(expected_texts) == len(expected_labels)
    kept = [
        (text, names.split(), line)
        for line, (text, names) in enumerate(zip(expected_texts, expected_labels), 1)
        if text and names and text.strip() and names.split()
    ]
    with tempfile.TemporaryDirectory() as folder:
        write(folder, texts, labels)
        for skip_bad_lines in (False, True):
            try:
                documents = read_documents(folder, "train", skip_bad_lines)
            except BadInput as error:
                assert str(error).startswith(folder)
                bad = len(kept) < len(expected_texts) and not skip_bad_lines
                bad = bad or is_other(texts) or is_other(labels)
                assert bad or not kept or not same_length
                continue
            assert same_length
            assert len(documents) + documents.skipped == len(expected_texts)
            assert documents.skipped == 0 or skip_bad_lines
            assert kept == list(zip(documents.texts, documents.labels, documents.lines))


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_damaged_archives(tmp_path, suffix):
    good = "".join(f"document {i}\n" for i in range(5)).encode()
    for place in (0, 1):
        paths = write(tmp_path, good, good, suffix)
        documents = read_pair(*paths)
        whole = paths[place].read_bytes()
        for end in range(len(whole)):
            paths[place].write_bytes(whole[:end])
            with pytest.raises(BadInput, match=re.escape(str(paths[place]))):
                read_pair(*paths, skip_bad_lines=True)
        for position in range(len(whole)):
            for mask in (1, 128, 255):
                changed = bytearray(whole)
                changed[position] ^= mask
                paths[place].write_bytes(changed)
                # A flipped bit in the time of a gzip header does no harm.
                try:
                    assert read_pair(*paths) == documents
                except BadInput as error:
                    assert str(error).startswith(str(paths[place]))


BAD_LINES = [
    (b"a\nb\xc3\nc\n", b"x\ny\nz\n", "texts", "invalid UTF-8 at byte offset 1"),
    (b"a\nb\nc\n", b"x\ny y\xff\nz\n", "labels", "invalid UTF-8 at byte offset 3"),
    (b"a\n\nc\n", b"x\ny\nz\n", "texts", "Expected a text."),
    (b"a\n \xe3\x80\x80\t\r\nc\n", b"x\ny\nz\n", "texts", "Expected a text."),
    (b"a\nb\nc\n", b"x\n\nz\n", "labels", "Expected labels"),
    (b"a\nb\nc\n", b"x\n \t\nz\n", "labels", "Expected labels"),
]


@pytest.mark.parametrize("texts, labels, file, message", BAD_LINES)
def test_bad_line(tmp_path, caplog, texts, labels, file, message):
    write(tmp_path, texts, labels)
    place = f"{tmp_path / f'train_{file}.txt'}:2: "
    with pytest.raises(BadInput) as error:
        read_documents(tmp_path, "train")
    assert str(error.value).startswith(place)
    assert message in str(error.value) and "skip_bad_lines=True" in str(error.value)

    documents = read_documents(tmp_path, "train", skip_bad_lines=True)
    assert documents.texts == ["a", "c"]
    assert documents.labels == [["x"], ["z"]]
    assert documents.lines == [1, 3]
    assert documents.skipped == 1
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "2 documents, 1 bad lines left out" in record.getMessage()
    assert place in record.getMessage()


def test_many_bad_lines_are_logged_once(tmp_path, caplog):
    write(tmp_path, b"\nb\n\xff\nd\n", b"w\n\ny\nz\n")
    assert read_documents(tmp_path, "train", skip_bad_lines=True).skipped == 3
    (record,) = caplog.records
    assert f"{tmp_path / 'train_texts.txt'}:1: " in record.getMessage()


@pytest.mark.parametrize("skip_bad_lines", [False, True])
@pytest.mark.parametrize(
    "texts, labels, place, message",
    [
        (b"", b"x\n", "train_texts.txt: ", "an empty file"),
        (b"a\n", b"", "train_labels.txt: ", "an empty file"),
        (b"", b"", "train_texts.txt: ", "an empty file"),
        (b"a\nb\n", b"x", "train_texts.txt:2: ", "Received: 2 and 1,"),
        (b"a\nb\n", b"w\nx\ny\nz\n", "train_labels.txt:3: ", "Received: 2 and 4,"),
        (b"a\nb\n\n", b"x\ny\n", "train_texts.txt:3: ", "Received: 3 and 2,"),
    ],
)
def test_files_that_no_option_saves(
    tmp_path, texts, labels, place, message, skip_bad_lines
):
    write(tmp_path, texts, labels)
    with pytest.raises(BadInput) as error:
        read_documents(tmp_path, "train", skip_bad_lines)
    assert str(error.value).startswith(str(tmp_path / place))
    assert message in str(error.value)


def test_nothing_left(tmp_path):
    write(tmp_path, b"a\n\n", b"\nx\n")
    with pytest.raises(BadInput, match="0 documents, 2 bad lines.*labels.txt:1: "):
        read_documents(tmp_path, "train", skip_bad_lines=True)


def test_missing_folder_and_files(tmp_path):
    data = "Convert other formats with `prepare_data`; `download_set` gets"
    with pytest.raises(BadInput, match=f"nowhere: .*no such folder.*{data}"):
        read_documents(tmp_path / "nowhere", "train")
    with pytest.raises(BadInput) as error:
        read_documents(tmp_path, "test")
    for name in ("test_texts.txt", "test_raw_texts.txt", ".gz", ".xz"):
        assert name in str(error.value)
    (tmp_path / "test_texts.txt").write_text("a")
    with pytest.raises(BadInput, match=f"test_labels.txt.*none of these.*{data}"):
        read_documents(tmp_path, "test")
    with pytest.raises(ValueError, match="Received: 'valid'"):
        read_documents(tmp_path, "valid")


def test_named_files_that_cannot_be_opened(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    for name in ("b.txt", "b.gz", "b.xz"):
        with pytest.raises(BadInput, match=f"{name}: .*No such file"):
            read_pair(tmp_path / "a.txt", tmp_path / name)
    with pytest.raises(BadInput, match="Is a directory"):
        read_pair(tmp_path, tmp_path / "a.txt")
    (tmp_path / "plain.gz").write_text("not compressed")
    with pytest.raises(BadInput, match="plain.gz:1: .*Not a gzipped file"):
        read_pair(tmp_path / "plain.gz", tmp_path / "a.txt")
    older_form = lzma.compress(b"a", format=lzma.FORMAT_ALONE)
    (tmp_path / "older.xz").write_bytes(older_form)
    with pytest.raises(BadInput, match="older.xz:1: .*not supported"):
        read_pair(tmp_path / "older.xz", tmp_path / "a.txt")


def test_each_file_has_its_own_form_and_raw_texts_come_first(tmp_path):
    write(tmp_path, b"tokens", b"x", part="test")
    (tmp_path / "test_raw_texts.txt.xz").write_bytes(lzma.compress(b"raw"))
    documents = read_documents(str(tmp_path), "test")
    assert documents.texts == ["raw"] and documents.labels == [["x"]]
    assert documents.texts_path == str(tmp_path / "test_raw_texts.txt.xz")


def test_subset():
    documents = Documents(
        ["a", "b", "c"], [["x"], ["y"], ["z"]], [1, 3, 4], "t.txt", "l.txt", skipped=1
    )
    assert documents.subset([2, 0]) == Documents(
        ["c", "a"], [["z"], ["x"]], [4, 1], "t.txt", "l.txt", skipped=1
    )
    assert len(documents.subset([])) == 0
    with pytest.raises(TypeError):
        documents.subset([0.5])


def test_debian24k():
    train, test = read_documents(DEBIAN, "train"), read_documents(DEBIAN, "test")
    label_set = LabelSet.from_labels(train.labels)
    assert (len(train), len(test), len(label_set)) == (44_437, 6_775, 24_043)
    assert not label_set.unknown(test.labels)
    assert label_set.encode(train.labels).shape == (44_437, 24_043)
    assert train.texts[0].startswith("manpages-id: Indonesian man pages This package")
    assert train.labels[0] == ["man-browser", "manpages"]


def digest(texts, labels):
    return documents_digest(Documents(texts, labels, [1] * len(texts), "t", "l"))


def test_digest_depends_on_every_border():
    sets = [
        (["ab", "c"], [["x"], ["y"]]),
        (["a", "bc"], [["x"], ["y"]]),
        (["ab", "c"], [["x", "y"], []]),
        (["abx", "c"], [[""], ["y"]]),
        (["c", "ab"], [["y"], ["x"]]),
        (["ab"], [["x"]]),
    ]
    assert len({digest(*one) for one in sets}) == len(sets)
    assert digest(*sets[0]) == digest(*sets[0])


def test_vectors_are_no_labels(tmp_path):
    for skip_bad_lines in (False, True):
        write(tmp_path, b"sea\nsky", b"old\n0 1 0 0")
        with pytest.raises(
            BadInput, match=r"labels.txt:2: .*a vector .* `prepare_data`"
        ):
            read_documents(tmp_path, "train", skip_bad_lines)
    write(tmp_path, b"sea\nsky", b"0 1\n1")
    assert read_documents(tmp_path, "train").labels == [["0", "1"], ["1"]]
