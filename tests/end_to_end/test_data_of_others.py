"""Files as other programs write them: read as meant, or refused with the remedy.

Each goes through `xmc prepare`; labels that nobody meant are never an outcome.
"""

import gzip
import os
import threading

import pytest

from tests.helpers.data_files import COUNT, csv_of, csv_with, lines_with, parquet_of
from xmc_keras.data.documents import read_documents
from xmc_keras.data.formats.find_parts import find_parts
from xmc_keras.data.formats.label_vectors import LabelledDocuments
from xmc_keras.data.formats.tables.dataset_rows import DatasetRows
from xmc_keras.files.bad_input import BadInput

TWO = ["warm", "big_plant"]
VECTORS = [["1"], ["0", "1"]]
READ = {
    "JSON list": (csv_with('["warm", "big plant"]'), [], [TWO]),
    "JSON list, separator": (
        csv_with('["warm", "big plant"]'),
        ["--label-separator", ","],
        [TWO],
    ),
    "list of pandas": (csv_with("['warm', 'big plant']"), [], [TWO]),
    "tuple": (csv_with("('warm', 'big plant')"), ["--label-separator=;"], [TWO]),
    "array of NumPy": (csv_with("['warm' 'big plant']"), [], [TWO]),
    "integers": (csv_with("[3, 17]", "[17]"), [], [["3", "17"], ["17"]]),
    "vector": (csv_with("[0, 1, 0, 0]", "[1, 1, 0, 0]"), [], VECTORS),
    "vector of NumPy": (csv_with("[0 1 0 0]", "[1. 1. 0. 0.]"), [], VECTORS),
    "vector of words": (csv_with("0 1 0 0", "1 1 0 0"), [], VECTORS),
    "vector of bools": (csv_with("[False, True]", "[True, True]"), [], VECTORS),
    "vector of digits": (csv_with("0100", "1100"), [], VECTORS),
    "numbers of zeros and ones": (csv_with("100", "110"), [], [["100"], ["110"]]),
    "vector with separator": (csv_with("0;1", "1;1"), ["--label-separator=;"], VECTORS),
    "vector with names": (
        csv_with("[0, 1, 0]", "[1, 1, 0]") | {"names.txt": "warm\nbig\nold\n"},
        ["--labels", "source/names.txt"],
        [["big"], ["warm", "big"]],
    ),
    "ids with names": (
        csv_with("[2]", "[0, 1]") | {"names.txt": "\ufeffwarm\r\nbig\r\nold\r\n"},
        ["--labels", "source/names.txt"],
        [["old"], ["warm", "big"]],
    ),
    "vector in JSON": (
        {"train.jsonl": lines_with('{{"text": "{i}", "labels": [0, 1.0, 0]}}')},
        [],
        [["1"]],
    ),
    "vector in a folder": (
        {"train_texts.txt": lines_with("a {i}"), "train_labels.txt": "0 1 1\n" * 6},
        [],
        [["1", "2"]],
    ),
    "vector in Parquet": (
        {"train.parquet": parquet_of([[0, 1, 0, 1]] * COUNT)},
        [],
        [["1", "3"]],
    ),
    "bools in Parquet": (
        {"train.parquet": parquet_of([[False, True], [True, True]])},
        [],
        VECTORS,
    ),
    "objects in Parquet": (
        {"train.parquet": parquet_of([[{"uri": "x:1", "label": "warm"}]] * 2)},
        [],
        [["warm"]],
    ),
    "columns of 0 and 1": (
        {"train.csv": "id,body,toxic,big old\n" + "0,a,0,1\n1,b,1,1\n" * 3},
        ["--label-column", "toxic,big old"],
        [["big_old"], ["toxic", "big_old"]],
    ),
    "a column with a comma in its name": (
        {"train.tsv": "text\ta,b\tc\n" + "x\tyes\tNo\ny\tno\tyes\n"},
        ["--label-column", "a,b"],
        [["yes"], ["no"]],
    ),
    "JSON of columns": (
        {"train.jsonl": lines_with('{{"text": "t {i}", "a": true, "b": 0, "c": 1.0}}')},
        ["--label-column", "a,b,c"],
        [["a", "c"]],
    ),
    "JSON lines": (
        {
            "train.jsonl": lines_with(
                '{{"text": "{i}", "labels": ["warm", "big plant"]}}'
            )
        },
        [],
        [TWO],
    ),
    "JSON lines of Annif": (
        {
            "train.ndjson.gz": gzip.compress(
                lines_with(
                    '{{"text": "{i}", "subjects": [{{"uri": "x:1", "label": "warm"}}]}}'
                ).encode("utf-8-sig")
            )
        },
        [],
        [["warm"]],
    ),
    "JSON lines of Annif, by URI": (
        {
            "train.jsonl": lines_with(
                '{{"text": "{i}", "subjects": [{{"uri": "x:1", "label": "warm"}}]}}'
            )
        },
        ["--uris"],
        [["x:1"]],
    ),
    "JSON lines, fields": (
        {"train.json": lines_with('{{"title": "{i}", "body": "x", "tag": "a;b"}}')},
        ["--text-column=title,body", "--label-column=tag", "--label-separator=;"],
        [["a", "b"]],
    ),
    "TSV of Annif": (
        {"train.tsv": lines_with("red {i}\t<http://x/1> <http://x/2>")},
        [],
        [["http://x/1", "http://x/2"]],
    ),
    "TSV of Annif, compressed, with a mark and Windows' line ends": (
        {
            "train.tsv.gz": gzip.compress(
                lines_with('a "quote {i}\t<http://x/1>\r').encode("utf-8-sig")
            )
        },
        [],
        [["http://x/1"]],
    ),
    "CSV of Annif": (
        {"train.csv": csv_of(["<http://x/1> <http://x/2>"] * 3, "text,subject_uris")},
        [],
        [["http://x/1", "http://x/2"]],
    ),
    "folder of Annif": (
        {
            "train/a.txt": "\ufeffred\nrose\n",
            "train/a.tsv": "<http://x/1>\tbig plant\n<http://x/2>\twarm\n",
            "train/b.txt": "sea",
            "train/b.key": "warm\nbig plant\n",
        },
        [],
        [TWO],
    ),
    "no header": (
        {"train.tsv": lines_with("{i}\twarm,big plant\trose {i}")},
        "--no-header --text-column 3 --label-column 2 --label-separator ,".split(),
        [TWO],
    ),
    "no header, Annif": (
        {"train.tsv": lines_with("red {i}\t<http://x/1>")},
        "--no-header --text-column 1 --label-column 2".split(),
        [["http://x/1"]],
    ),
    "semicolons": (
        {"train.csv": csv_of(["warm"] * 3, "text;labels", ";")},
        [],
        [["warm"]],
    ),
    "semicolons, columns": (
        {"train.csv": csv_of(["warm"] * 3, "review;tags,x", ";")},
        ["--text-column", "review", "--label-column", "tags,x"],
        [["warm"]],
    ),
    "commas in TSV": ({"train.tsv": csv_of(["warm"] * 3)}, [], [["warm"]]),
    "bars": (
        {"train.csv": csv_of(["warm"] * 3, "text|labels", "|")},
        ["--delimiter", "|"],
        [["warm"]],
    ),
    "tabs, named": (
        {"train.csv": csv_of(["warm"] * 3, "text\tlabels", "\t")},
        ["--delimiter", "\\t"],
        [["warm"]],
    ),
    "sep line": (
        {"train.csv": "sep=;\r\n" + csv_of(["warm"] * 3, "text;labels", ";")},
        [],
        [["warm"]],
    ),
    "sep line of tabs": (
        {"train.csv": "\ufeffsep=\t\n" + csv_of(["warm"] * 3, "text\tlabels", "\t")},
        [],
        [["warm"]],
    ),
    "a tab between labels": (
        csv_with("warm\tbig plant"),
        ["--label-separator", "\\t"],
        [TWO],
    ),
    "names of columns with spaces and capitals": (
        {"train.csv": csv_of(["warm"], "Text, LABELS")},
        [],
        [["warm"]],
    ),
    "the only file of a format": (
        {"articles.csv": csv_of(["warm"]), "notes.txt": "to do\n"},
        ["--format", "csv"],
        [["warm"]],
    ),
    "two files, one of them the test part": (
        {"a.csv": csv_of(["warm"]), "b.csv": csv_of(["warm"])},
        ["--test", "source/b.csv"],
        [["warm"]],
    ),
    "a file of another name": (
        {"articles.csv": csv_of(["warm"]), "README.md": ""},
        [],
        [["warm"]],
    ),
    "JSON of another name": (
        {"dump.jsonl.gz": gzip.compress(b'{"text": "a", "labels": ["warm"]}\n')},
        [],
        [["warm"]],
    ),
    "cells over several lines": (
        {"train.csv": "text,labels\n\"a\nb\",\"['warm'\n 'big plant']\"\n"},
        [],
        [TWO],
    ),
    "fastText with tabs": (
        {"train.txt": lines_with("__label__warm\t__label__big\trose {i}")},
        [],
        [["warm", "big"]],
    ),
    "fastText, labels at the end": (
        {"train.txt": lines_with("rose {i} __label__warm __label__big")},
        [],
        [["warm", "big"]],
    ),
    "fastText of another prefix": (
        {"train.txt": lines_with("__LABEL__warm rose {i}")},
        ["--prefix", "__LABEL__"],
        [["warm"]],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_data_read_as_meant(prepare_files, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    files, arguments, expected = READ[case]
    output, found = prepare_files(files, *arguments)
    assert found is not None, output
    assert {frozenset(labels) for labels in found} == set(map(frozenset, expected))


@pytest.mark.parametrize(
    "names",
    [
        ["train-00000-of-00002.csv", "train-00001-of-00002.csv"],
        ["data/train-00000-of-00002-af3.csv", "data/train-00001-of-00002-0b1.csv"],
        ["train-0-of-2.csv", "train-1-of-2.csv"],
        ["part-00000-af3.c000.csv", "part-00001-af3.c000.csv"],
        ["train/part-00000.csv", "train/part-00001.csv"],
        ["trn-00000-of-00002.csv.gz", "trn-00001-of-00002.csv.gz"],
    ],
)
def test_a_part_in_several_files(prepare_files, tmp_path, names):
    def pack(name, labels):
        content = csv_of(labels).encode()
        return gzip.compress(content) if name.endswith(".gz") else content

    files = {name: pack(name, [f"l{i}"] * 3) for i, name in enumerate(names)}
    test = (
        names[0]
        .replace("of-00002", "of-00001")
        .replace("of-2", "of-1")
        .replace("trn", "tst")
    )
    test = test.replace("train", "test") if "part" not in test else "test.csv"
    files[test] = pack(test, ["l0"])
    output, found = prepare_files(files)
    assert found == [{"l0"}] * 3 + [{"l1"}] * 3, output
    assert read_documents(tmp_path / "made", "test").labels == [["l0"]]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train-00000-of-00003.csv", "train-00002-of-00003.csv"], "each of 3 files"),
        (["train-00000-of-00001.csv", "train-00000-of-00001.csv.gz"], "each of 1 file"),
        (["train-00000-of-00001.csv", "train.csv"], "in one file or in several"),
    ],
)
def test_files_of_a_part_that_are_not_whole(prepare_files, names, message):
    content = csv_of(["warm"]).encode()
    files = {n: gzip.compress(content) if ".gz" in n else content for n in names}
    output, found = prepare_files(files)
    assert found is None and message in output, output


def test_bad_lines_of_a_part_in_several_files(prepare_files, tmp_path, caplog):
    names = ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"]
    good = '{"text": "rose", "labels": ["warm"]}\n'
    files = {names[0]: good + '{"text": "sea", "labels": [0, 2, 0]}\n', names[1]: good}
    output, _ = prepare_files(files)
    assert f"{tmp_path}/source/{names[0]}:2: Expected different label ids" in output
    _, found = prepare_files(files, "--skip-bad-lines")
    assert found == [{"warm"}] * 2
    assert "train: 1 documents left out" in caplog.text


def test_one_of_several_files(prepare_files, caplog):
    name = "train-00000-of-00002.csv"
    _, found = prepare_files({name: csv_of(["warm"])}, source=name)
    assert found == [{"warm"}] and "one of 2 files: give their folder" in caplog.text


@pytest.mark.parametrize(
    "names, is_read",
    [
        (["articles-00000-of-00002.csv", "articles-00001-of-00002.csv"], True),
        (["valid-00000-of-00002.csv", "valid-00001-of-00002.csv"], False),
        (["articles-00000-of-00001.csv", "other-00000-of-00001.csv"], False),
        (["articles-00000-of-00001.csv", "other.csv"], False),
    ],
)
def test_a_part_in_several_files_of_another_name(prepare_files, names, is_read):
    files = {name: csv_of([f"l{i}"] * 3) for i, name in enumerate(names)}
    output, found = prepare_files(files)
    assert found == ([{"l0"}] * 3 + [{"l1"}] * 3 if is_read else None), output


def test_a_pipe_is_read_once(call, tmp_path):
    count = 3000  # more than the documents that are looked at first
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = csv_of([f"[{i % 2}, 1, 0]" for i in range(count)]).encode()
    writer = threading.Thread(target=pipe.write_bytes, args=[content])
    writer.start()
    made = tmp_path / "made"
    result = call("prepare", pipe, made, "--format", "csv", tensorflow=False)
    writer.join()
    assert result.status == 0, result.stderr
    assert (made / "train_labels.txt").read_text() == "1\n0 1\n" * (count // 2)


def test_a_call_that_resumes_in_the_test_part(tmp_path):
    """It knows from the training part that labels are vectors."""
    for part, cell in (("train", "[0, 1, 1]"), ("test", "[0, 1]")):
        (tmp_path / f"{part}.csv").write_text(csv_of([cell]))
    test = find_parts(tmp_path, "csv")["test"]
    with pytest.raises(BadInput, match="test.csv:2: Expected a vector of 3 zeros"):
        list(test)


def test_vectors_in_a_data_set_of_rows():
    class Rows(list):
        column_names = ["text", "labels"]

    rows = Rows({"text": "sea", "labels": [0.0, 1.0, float(i)]} for i in range(2))
    found = LabelledDocuments(DatasetRows(rows))
    assert [document.labels for document in found] == [["1"], ["1", "2"]]
