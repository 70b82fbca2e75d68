"""Documents written in each format are read back unchanged."""

import gzip
import json
import lzma
import re
import tempfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import scipy.sparse
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers.project import PROJECT
from xmc_keras.data.formats.document import Document, one_space
from xmc_keras.data.formats.fasttext import write_fasttext
from xmc_keras.data.formats.find_format import find_format
from xmc_keras.data.formats.find_parts import find_parts
from xmc_keras.data.formats.folder import write_folder
from xmc_keras.data.formats.json_lines import write_json_lines, write_label_list
from xmc_keras.data.formats.numbered_lines import write_numbered_lines
from xmc_keras.data.formats.options import Options
from xmc_keras.data.formats.tables.table import write_table

CHARACTERS = st.characters(codec="utf-8", exclude_characters="\n\r\0")
LINE = st.text(CHARACTERS).filter(lambda text: text.strip())
ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(
    lambda text: text.strip()
)
# Lists of 0 and 1 alone are vectors.
WORD = st.text(CHARACTERS).filter(
    lambda name: name.split() == [name] and name not in ("0", "1")
)
NAME = st.text(CHARACTERS).filter(
    lambda name: (
        name and name == one_space(name) and "|" not in name and name not in ("0", "1")
    )
)


def documents(texts, names):
    labels = st.lists(names, min_size=1, max_size=3, unique=True)
    return st.lists(st.tuples(texts, labels), min_size=1, max_size=5).map(
        lambda pairs: [Document(*pair, line) for line, pair in enumerate(pairs, 1)]
    )


def label_names(documents):
    return sorted({name for document in documents for name in document.labels})


def write_pecos(documents, folder):
    names = label_names(documents)
    texts = "".join(f"{document.text}\n" for document in documents)
    Path(folder, "X.trn.txt").write_bytes(texts.encode())
    listed = "".join(f"{name}\n" for name in names)
    Path(folder, "output-items.txt").write_bytes(listed.encode())
    rows = [[float(n in document.labels) for n in names] for document in documents]
    scipy.sparse.save_npz(Path(folder, "Y.trn.npz"), scipy.sparse.csr_matrix(rows))


def write_numbered(documents, folder):
    names = label_names(documents)
    write_numbered_lines(documents, Path(folder, "train.tsv.gz"), names)
    Path(folder, "output-labels.txt").write_bytes("\n".join(names).encode())


def write_repository(documents, folder):
    names = label_names(documents)
    write_json_lines(documents, Path(folder, "trn.json.gz"), names)
    write_label_list(names, Path(folder, "lbl.json.gz"))


def write_parquet(documents, folder, separator=None, **options):
    """Labels are lists, or strings if there is a separator."""
    labels = [document.labels for document in documents]
    if separator is not None:
        # With other characters a cell may be a list, or look like one.
        joined = [separator.join(names) for names in labels]
        labels = [
            cell if re.fullmatch(r"[\w |]{5,}", cell) else json.dumps(names)
            for cell, names in zip(joined, labels)
        ]
    columns = {"text": [document.text for document in documents], "labels": labels}
    table, path = pyarrow.table(columns), Path(folder, "train.parquet")
    pyarrow.parquet.write_table(table, path, **options)


WRITERS = {
    "folder": (LINE, WORD, lambda found, folder: write_folder(found, folder, "train")),
    "fasttext": (
        LINE.filter(lambda text: text[0] not in " \t\v\f" and "__label__" not in text),
        WORD.filter(lambda name: "__label__" not in name),
        lambda found, folder: write_fasttext(found, Path(folder, "train.txt")),
    ),
    "repository": (ANY_TEXT, NAME, write_repository),
    "pecos": (LINE.filter(lambda t: not t.startswith("\ufeff")), NAME, write_pecos),
    "pecos-tsv": (LINE, NAME, write_numbered),
    "csv": (
        ANY_TEXT,
        NAME,
        lambda found, folder: write_table(found, Path(folder, "train.csv")),
    ),
    "tsv": (
        ANY_TEXT,
        NAME,
        lambda found, folder: write_table(found, Path(folder, "train.tsv.gz")),
    ),
    "parquet": (ANY_TEXT, NAME, write_parquet),
}


TABLES = ("csv", "tsv", "parquet")
OPTIONS = {f: Options(label_separator="|" if f in TABLES else None) for f in WRITERS}


@pytest.mark.parametrize("format", WRITERS)
def test_round_trip(format):
    texts, names, write = WRITERS[format]

    @settings(deadline=None, max_examples=60)
    @given(documents(texts, names))
    @example([Document("a\u2028b\x0bc\x0cd\x85e", ["x", "y"], 1)])
    @example([Document("\ufeffsea", ["\ufeffblue"], 1), Document("a", ["b"], 2)])
    def check(written):
        if format == "pecos" and written[0].text.startswith("\ufeff"):
            return  # in this format it is read as a byte order mark
        with tempfile.TemporaryDirectory() as folder:
            write(written, folder)
            assert find_format(folder) == format
            found = list(find_parts(folder, format, options=OPTIONS[format])["train"])
        assert [set(document.labels) for document in found] == [
            set(document.labels) for document in written
        ]
        if format == "folder" and written[0].text.startswith("\ufeff"):
            # A space was added, so that it is not read as a byte order mark.
            assert found.pop(0).text == " " + written.pop(0).text
        assert [document.text for document in found] == [
            document.text for document in written
        ]
        if format not in ("csv", "tsv") or "\n" not in written[0].text:
            assert not found or found[0].line == written[0].line + (
                format in ("csv", "tsv")
            )

    check()


@settings(deadline=None, max_examples=60)
@given(documents(LINE.filter(lambda t: not t.startswith("\ufeff")), WORD), st.data())
def test_line_ends_byte_order_mark_and_compression(written, data):
    """Files as Windows writes them, in each of the line formats."""
    names = label_names(written)
    # A line of each format, independent of the writers.
    lines = {
        "folder": lambda d: d.text,
        "pecos-tsv": lambda d: (
            f"{','.join(str(names.index(n)) for n in d.labels)}\t" + d.text
        ),
        "repository": lambda d: json.dumps(
            {"title": d.text, "target_ind": [names.index(n) for n in d.labels]}
        ),
    }
    format = data.draw(st.sampled_from(sorted(lines)))
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    end = newline * data.draw(st.booleans())
    mark = "\ufeff" * data.draw(st.booleans())
    suffix, compress = data.draw(
        st.sampled_from([("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
    )
    name = {
        "folder": "train_texts.txt",
        "pecos-tsv": "trn.txt",
        "repository": "trn.json",
    }[format]
    with tempfile.TemporaryDirectory() as folder:

        def save(name, lines):
            content = (mark + newline.join(lines) + end).encode()
            Path(folder, name + suffix).write_bytes(compress(content))

        save(name, [lines[format](document) for document in written])
        save("train_labels.txt", [" ".join(document.labels) for document in written])
        save("output-items.txt", names)
        save("lbl.json", [json.dumps({"title": name}) for name in names])
        found = list(find_parts(folder, format)["train"])
    assert [document[:2] for document in found] == [
        (document.text, document.labels) for document in written
    ]
    assert [document.line for document in found] == list(range(1, len(written) + 1))


@settings(deadline=None, max_examples=60)
@given(documents(ANY_TEXT, NAME), st.data())
def test_parquet_of_every_make(written, data):
    """Label strings, small row groups, and all compressions."""
    separator = data.draw(st.sampled_from([None, "|"]))
    options = {
        "row_group_size": data.draw(st.integers(1, 3)),
        "compression": data.draw(st.sampled_from(["none", "snappy", "gzip", "zstd"])),
        "use_dictionary": data.draw(st.booleans()),
        "data_page_version": data.draw(st.sampled_from(["1.0", "2.0"])),
    }
    with tempfile.TemporaryDirectory() as folder:
        write_parquet(written, folder, separator, **options)
        read = Options(label_separator="|")
        found = list(find_parts(folder, "parquet", options=read)["train"])
    assert found == written


def test_every_format_reads_real_documents_alike(tmp_path):
    """Documents of Debian-24K, through all formats that are written here."""
    folder = PROJECT / "data" / "debian24k"
    test = find_parts(folder, "folder")["test"]
    expected = [document for document, _ in zip(test, range(300))]
    for format, (_, _, write) in WRITERS.items():
        place = tmp_path / format
        place.mkdir()
        write(expected, place)
        assert find_format(place) == format
        found = list(find_parts(place, format, options=OPTIONS[format])["train"])
        for document, original in zip(found, expected, strict=True):
            assert document.text == original.text
            assert np.array_equal(sorted(document.labels), sorted(original.labels))


@pytest.mark.parametrize("name", ["", "two words", "__label__", "a__label__b"])
def test_a_label_that_fasttext_cannot_hold_is_not_written(name, tmp_path):
    path = tmp_path / "train.txt"
    with pytest.raises(ValueError, match="without spaces and without __label__"):
        write_fasttext([Document("a", ["x", name], 1)], path)
    assert not path.exists()
