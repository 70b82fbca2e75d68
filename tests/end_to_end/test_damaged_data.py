"""Truncated files and flipped bytes: a clear error, or no document is lost."""

import gzip
import json
import re
from pathlib import Path

import pytest
import scipy.sparse

from xmc_keras.data.formats.document import BadLines, Document
from xmc_keras.data.formats.fasttext import write_fasttext
from xmc_keras.data.formats.find_parts import find_parts
from xmc_keras.data.formats.folder import write_folder
from xmc_keras.data.formats.json_lines import write_json_lines, write_label_list
from xmc_keras.data.formats.numbered_lines import write_numbered_lines
from xmc_keras.data.formats.tables.table import write_table
from xmc_keras.files.bad_input import BadInput

NAMES = ["blue", "groß", "old"]
DOCUMENTS = [
    Document('sea, "deep"', ["blue", "groß"], 1),
    Document("Straße 东京 🌊", ["old"], 2),
    Document("sky", ["blue", "old", "groß"], 3),
]
MASKS = (1, 128)


def write_pecos(folder):
    texts = "".join(f"{document.text}\n" for document in DOCUMENTS)
    (folder / "X.trn.txt").write_bytes(texts.encode())
    (folder / "output-items.txt").write_bytes("\n".join(NAMES).encode())
    rows = [[float(name in d.labels) for name in NAMES] for d in DOCUMENTS]
    scipy.sparse.save_npz(folder / "Y.trn.npz", scipy.sparse.csr_matrix(rows))


def write_repository(folder, suffix=""):
    write_json_lines(DOCUMENTS, folder / f"trn.json{suffix}", NAMES)
    write_label_list(NAMES, folder / "lbl.json")
    (folder / "filter_labels_train.txt").write_text("0 1\n2 0\n")


def write_numbered(folder):
    write_numbered_lines(DOCUMENTS, folder / "train.tsv", NAMES)
    (folder / "output-items.txt").write_bytes("\n".join(NAMES).encode())


# Format -> how its files are written, and which of them have one document per line.
FORMATS = {
    "folder": (lambda f: write_folder(DOCUMENTS, f, "train"), ["train_texts.txt"]),
    "fasttext": (lambda f: write_fasttext(DOCUMENTS, f / "train.txt"), ["train.txt"]),
    "csv": (lambda f: write_table(DOCUMENTS, f / "train.csv", None, " "), []),
    "tsv": (lambda f: write_table(DOCUMENTS, f / "train.tsv", None, " "), []),
    "pecos": (write_pecos, ["X.trn.txt"]),
    "pecos-tsv": (write_numbered, ["train.tsv"]),
    "repository": (write_repository, ["trn.json"]),
}


def read(folder, format, bad_lines=None):
    """The documents, or `None` after a clear error."""
    try:
        skip = None if bad_lines is None else lambda part: bad_lines
        return list(find_parts(folder, format, skip=skip)["train"])
    except BadInput as error:
        text = str(error)
        assert text.startswith(str(folder)) and "Expected" in text, text
        assert "Received" in text and "\n" not in text, text
        return None


def damaged(content, step=1):
    """Yields truncated copies, and copies with a flipped bit, every `step` bytes."""
    for place in range(0, len(content), step):
        yield content[:place]
        for mask in MASKS:
            changed = bytearray(content)
            changed[place] ^= mask
            yield bytes(changed)


def lines_in(content):
    return content.count(b"\n") + (not content.endswith(b"\n"))


@pytest.mark.parametrize("format", FORMATS)
def test_a_clear_error_or_nothing_lost(tmp_path, format):
    write, of_documents = FORMATS[format]
    write(tmp_path)
    whole = read(tmp_path, format)
    assert len(whole) == 3
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        outcomes = set()
        for changed in damaged(content, 11 if path.suffix == ".npz" else 1):
            path.write_bytes(changed)
            strict = read(tmp_path, format)
            bad_lines = BadLines()
            found = read(tmp_path, format, bad_lines)
            outcomes.add((strict is None, found is None))
            if strict is not None:
                assert (found, bad_lines.count) == (strict, 0)
            if found is not None and path.name in of_documents:
                assert len(found) + bad_lines.count == lines_in(changed)
                # Damage to one line does not affect the others.
                same = sum(document in whole for document in found)
                assert same >= min(len(whole), lines_in(changed)) - 2
            if found is not None and path.suffix in (".csv", ".tsv"):
                # A quoted cell may contain a newline, but here each document has one
                # line.
                assert len(found) + bad_lines.count >= lines_in(changed) - 2
        path.write_bytes(content)
        if path.suffix != ".npz":
            assert (True, False) in outcomes or path.name not in of_documents
        else:
            # A checksum detects all damage except in names and dates.
            assert (True, True) in outcomes
    assert read(tmp_path, format) == whole


def test_gzip_that_is_damaged(tmp_path):
    write_repository(tmp_path, ".gz")
    whole = read(tmp_path, "repository")
    path = tmp_path / "trn.json.gz"
    content = path.read_bytes()
    for changed in damaged(content):
        path.write_bytes(changed)
        found = read(tmp_path, "repository", BadLines())
        # Damage to the flags or the time in the header does not affect documents.
        assert found is None or found == whole
    for end in range(len(content)):
        path.write_bytes(content[:end])
        with pytest.raises(BadInput, match="gz(:[0-9]+)?: Expected .* Received: "):
            list(
                find_parts(tmp_path, "repository", skip=lambda part: BadLines())[
                    "train"
                ]
            )


def test_parquet_that_is_damaged(tmp_path):
    import pyarrow
    import pyarrow.parquet

    columns = {"text": [d.text for d in DOCUMENTS]}
    columns["labels"] = [d.labels for d in DOCUMENTS]
    path = tmp_path / "train.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    whole = read(tmp_path, "parquet")
    assert [document[:2] for document in whole] == [d[:2] for d in DOCUMENTS]
    content = path.read_bytes()
    for end in range(len(content)):
        path.write_bytes(content[:end])
        assert read(tmp_path, "parquet") is None


BAD_LINES = {
    "fasttext": [b"sea", b"__label__ sea", b"__label__blue", b"", b"__label__x \xff"],
    "pecos-tsv": [
        b"0 sea",
        b"3\tsea",
        b"-1\tsea",
        b"0,\tsea",
        b"0\t ",
        b"0\t\xe9",
        b"",
    ],
    "repository": [
        b"",
        b"[]",
        b"{}",
        b'{"content": "sea"}',
        b'{"content": 3, "target_ind": [0]}',
        b'{"content": "sea", "target_ind": [3]}',
        b'{"content": "sea", "target_ind": [-1]}',
        b'{"content": "sea", "target_ind": [true]}',
        b'{"content": "sea", "target_ind": [0.5]}',
        b'{"content": "sea", "target_ind": []}',
        b'{"content": " ", "target_ind": [0]}',
        b'{"content": "\\ud800", "target_ind": [0]}',
        b'{"content": "sea", "target_ind": [0]} {',
        b"[" * 100_000,
    ],
    "csv": [b"sea", b"sea,blue,old", b" ,blue", b"sea,", b"\xe9,blue", b'"sea"x,blue'],
    "tsv": [b"sea", b"sea\tblue\tred", b"\xff\tblue"],
}
GOOD = {
    "fasttext": b"__label__blue sky",
    "pecos-tsv": b"0\tsky",
    "repository": json.dumps({"content": "sky", "target_ind": [0]}).encode(),
    "csv": b"sky,blue",
    "tsv": b"sky\tblue",
}
FILES = {
    "fasttext": "train.txt",
    "pecos-tsv": "train.txt",
    "repository": "trn.json",
    "csv": "train.csv",
    "tsv": "train.tsv",
}


@pytest.mark.parametrize(
    ("format", "line"), [(f, line) for f, lines in BAD_LINES.items() for line in lines]
)
def test_a_bad_line_is_named_or_left_out(tmp_path, format, line):
    path = tmp_path / FILES[format]
    write_label_list(NAMES, tmp_path / "lbl.json")
    header = {"csv": [b"text,labels"], "tsv": [b"text\tlabels"]}.get(format, [])
    path.write_bytes(b"\n".join([*header, GOOD[format], line, GOOD[format]]))
    number = len(header) + 2
    place = f"{path}:{number}: Expected .* Received: .*skip_bad_lines=True"
    with pytest.raises(BadInput, match=re.escape(str(path)) + place[len(str(path)) :]):
        list(find_parts(tmp_path, format)["train"])
    bad_lines = BadLines()
    found = list(find_parts(tmp_path, format, skip=lambda part: bad_lines)["train"])
    assert [(d.text, d.labels, d.line) for d in found] == [
        ("sky", ["blue"], number - 1),
        ("sky", ["blue"], number + 1),
    ]
    assert bad_lines.count == 1 and str(bad_lines.first).startswith(f"{path}:{number}:")


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
@pytest.mark.parametrize("format", FILES)
def test_empty_files(tmp_path, format, content):
    path = Path(tmp_path, FILES[format] + (".gz" if content else ""))
    path.write_bytes(content)
    with pytest.raises(BadInput, match="Received: an empty file"):
        list(find_parts(tmp_path, format, skip=lambda part: BadLines())["train"])
