"""Files as other programs write them: read as meant, or refused with the remedy.

Each goes through `xmc prepare`; labels that nobody meant are never an outcome.
"""

import gzip
import io
import json
import re

import pyarrow
import pyarrow.parquet
import pytest

from xmc_keras.data.documents import read_documents

COUNT = 12


def csv_of(cells, header="text,labels", delimiter=","):
    """A table of a number and a cell; quotes are doubled as in CSV."""
    quoted = [cell.replace('"', '""') for cell in cells]
    rows = [f'rose {i}{delimiter}"{cell}"' for i, cell in enumerate(quoted)]
    return "\n".join([*([header] if header else []), *rows, ""])


def csv_with(*cells):
    return {"train.csv": csv_of((cells * COUNT)[:COUNT])}


def lines_with(*lines):
    return "".join(f"{line.format(i=i)}\n" for i, line in enumerate(lines * 6))


def parquet_of(values):
    columns = {"text": [f"rose {i}" for i in range(len(values))], "labels": values}
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


@pytest.fixture
def prepare(call, tmp_path, caplog):
    """Writes files and runs the command; gives its result and the labels by text."""

    def prepare(files, *arguments, source=""):
        for name, content in files.items():
            path = tmp_path / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = content if isinstance(content, bytes) else content.encode()
            path.write_bytes(content)
        made = tmp_path / "made"
        caplog.set_level("INFO")
        place = tmp_path / "source" / source
        result = call("prepare", place, made, *arguments, tensorflow=False)
        if result.status:
            assert (result.status, result.stdout) == (2, ""), result.stderr
            assert not made.exists()
            return result.stderr, None
        train = read_documents(made, "train")
        return result.stdout, [set(labels) for labels in train.labels]

    return prepare


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
def test_data_read_as_meant(prepare, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    files, arguments, expected = READ[case]
    output, found = prepare(files, *arguments)
    assert found is not None, output
    assert {frozenset(labels) for labels in found} == set(map(frozenset, expected))


SET = "{'warm', 'big'}"
REFUSED = {
    "set": (csv_with(SET), [], "train.csv:2: Expected labels: .*'warm', 'big'"),
    "set, separator": (csv_with(SET), ["--label-separator", ","], "Expected labels: a"),
    "list cut off": (csv_with("['warm', 'big"), [], "Expected labels: a list"),
    "array with dots": (csv_with("[0 0 ... 0 1]"), [], "Expected labels: a list"),
    "missing value": (
        csv_with("warm", "nan"),
        [],
        "train.csv:3: Expected labels: .*nan",
    ),
    "counts": (
        csv_with("[0, 2, 0]"),
        [],
        "csv:2: Expected different label ids, or vec",
    ),
    "vectors of two lengths": (
        csv_with("[0, 1, 0]", "[1, 0]"),
        [],
        "csv:3: Expected a vector of 3 zeros and ones.* Received: 1, 0",
    ),
    "more places than names": (
        csv_with("[0, 1, 1]") | {"names.txt": "warm\nbig\n"},
        ["--labels", "source/names.txt"],
        "csv:2: Expected different label ids from 0 to 1: the label list has 2 names",
    ),
    "vector of the Repository": (
        {"trn.json": lines_with('{{"title": "{i}", "target_ind": [0, 1, 0, 1]}}')},
        [],
        "trn.json:1: Expected different label ids",
    ),
    "vector of PECOS": (
        {"train.txt": lines_with("0,1,0,1\trose {i}")},
        [],
        "train.txt:1: Expected different label ids",
    ),
    "columns of other values": (
        {"train.csv": "text,a,b\nx,0,1\ny,1,warm\n"},
        ["--label-column", "a,b"],
        "train.csv:3: Expected 0 or 1 in each of several label col.*'warm' in 'b'",
    ),
    "a missing column of several": (
        {"train.csv": "text,a,b\nx,0,1\n"},
        ["--label-column", "a,c"],
        "csv:1: Expected a column 'c' once. Received: the columns text, a, b. Name it "
        "with --label-column",
    ),
    "no known column": (
        {"train.csv": "comment,toxic\nx,0\n"},
        [],
        "Expected a column of texts: text, document, .* Received: the columns comment",
    ),
    "one column for both": (
        {"train.csv": "text;labels\nx;warm\n"},
        ["--text-column", "text", "--label-column", "text"],
        "Expected texts and labels in different columns. Received: 'text' for both",
    ),
    "one column for both, undivided": (
        {"train.csv": "text;labels\nx;warm\n"},
        ["--text-column", "text;labels", "--label-column", "text;labels"],
        "Received: 'text;labels' for both",
    ),
    "two characters between cells": (
        csv_with("warm"),
        ["--delimiter", "||"],
        "Expected a delimiter of one character, .* Give another --delimiter",
    ),
    "no header": (
        {"train.tsv": lines_with("{i}\twarm\trose {i}", "{i}\tbig\trose {i}")},
        ["--text-column", "3", "--label-column", "2"],
        "tsv:1: Expected a column '3' once.* use --no-header and give columns by number",
    ),
    "JSON without labels": (
        {"train.jsonl": lines_with('{{"text": "{i}", "topic": ["warm"]}}')},
        [],
        "train.jsonl:1: Expected a field of labels: labels, label, .* Received: the "
        "fields text, topic. Name it with --label-column",
    ),
    "JSON array": (
        {"train.json": '[{"text": "a", "labels": ["b"]}]\n'},
        [],
        "train.json:1: Expected a JSON object on each line. Received: an array. .*jq",
    ),
    "JSON over several lines": (
        {"train.json": '{\n "text": "a",\n "labels": ["b"]\n}\n'},
        [],
        "train.json:1: .* Received: an object over several lines. .*jq -c '.'",
    ),
    "ids of PECOS with spaces": (
        {"train.txt": lines_with("0, 1\trose {i}")},
        [],
        "train.txt:1: Expected a first line of fastText .* Received: '0, 1.trose 0'",
    ),
    "prefix in upper case": (
        {"train.txt": lines_with("__LABEL__warm rose {i}")},
        [],
        "train.txt:1: Expected a first line .* '__LABEL__warm rose 0'. Give --prefix",
    ),
    "labels of fastText with commas": (
        {"train.txt": lines_with("__label__warm,__label__big rose {i}")},
        [],
        "train.txt:1: Expected white space before each __label__",
    ),
    "a file of no ending": (
        {"train.dat": "text,labels\na,b\n"},
        [],
        "Received: none of their names, but train.dat. Name it with --format",
    ),
    "two files of other names": (
        {"a.csv": csv_of(["warm"]), "b.csv": csv_of(["warm"])},
        [],
        "such as train.csv, .* Received: none of their names, but a.csv, b.csv.",
    ),
    "a test part alone": ({"test.csv": csv_of(["warm"])}, [], "but test.csv"),
    "another format than named": (
        {"articles.csv": csv_of(["warm"])},
        ["--format", "parquet"],
        "Expected train.parquet or .*train-00000-of-00002.parquet. Received: none of "
        "their names, but articles.csv",
    ),
    "column names alone": (
        {"train.csv": "text,labels\n"},
        [],
        "train.csv: Expected rows after the column names. Received: none",
    ),
    "line ends of Macintosh": (
        {"train.csv": csv_of(["warm"] * 3).replace("\n", "\r")},
        [],
        r"train.csv: Expected lines that end in a line feed. .* tr '\\r' '\\n'",
    ),
    "line ends of Macintosh after the first": (
        {"train.csv": "text,labels\na,b\rc,d\re,f\n"},
        [],
        "train.csv:2: .* Received: a carriage return outside quotes",
    ),
    "UTF-16": (
        {"train.csv": csv_of(["warm"] * 3).encode("utf-16")},
        [],
        "train.csv: Expected UTF-8. Received: UTF-16. Convert it: iconv -f UTF-16 -t",
    ),
    "UTF-16 in a folder": (
        {
            "train_texts.txt": "rose\nsea\n".encode("utf-16-le"),
            "train_labels.txt": "warm\nblue\n".encode("utf-16-le"),
        },
        [],
        "train_texts.txt: Expected UTF-8. Received: UTF-16 without .*UTF-16LE",
    ),
    "UTF-16 of label names": (
        csv_with("[2]") | {"names.txt": "warm\nbig\nold\n".encode("utf-16")},
        ["--labels", "source/names.txt"],
        "names.txt: Expected UTF-8. Received: UTF-16",
    ),
    "Latin-1": (
        {"train.csv": csv_of(["café"]).encode("latin-1")},
        [],
        "train.csv:2: Expected UTF-8. .*Latin-1 or Windows-1252 .*iconv",
    ),
    "Latin-1 in fastText": (
        {"train.txt": "__label__café sea\n".encode("cp1252")},
        [],
        "train.txt:1: Expected UTF-8. .*Latin-1 or Windows-1252 .*iconv",
    ),
    "prefix for CSV": (
        csv_with("warm"),
        ["--prefix", "x"],
        "Leave out --prefix, which ",
    ),
    "labels that are missing": (
        csv_with("[1]"),
        ["--labels", "none.txt"],
        "none.txt: Expected a text file. Received: No such file",
    ),
    "labels of fastText": (
        {"train.txt": "__label__a b\n"},
        ["--labels", "none.txt"],
        "Leave out --labels, which is for repository, pecos, ",
    ),
    "separator of fastText": (
        {"train.txt": "__label__a b\n"},
        ["--label-separator", ","],
        "Expected options that fasttext reads.* Leave out --label-separator",
    ),
    "quotes of JSON": (
        {"train.jsonl": '{"text": "a", "labels": ["b"]}\n'},
        ["--no-quotes"],
        "Leave out --no-quotes, which is for csv, tsv",
    ),
    "column of a folder": (
        {"train_texts.txt": "a\n", "train_labels.txt": "b\n"},
        ["--text-column", "text"],
        "Leave out --text-column",
    ),
    "delimiter of Parquet": (
        {"train.parquet": parquet_of([["a"]])},
        ["--delimiter", ";"],
        "Leave out --delimiter, which is for csv, tsv",
    ),
    "a test part of a folder of splits": (
        {"dataset_info.json": "{}", "test.csv": csv_of(["warm"])},
        ["--test", "source/test.csv", "--format", "datasets"],
        "Leave out --test, and save both",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_data_refused_with_the_remedy(prepare, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    files, arguments, pattern = REFUSED[case]
    output, found = prepare(files, *arguments)
    assert found is None, (output, found)
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and re.search(pattern, errors[0]), output
    assert "`" not in errors[0]


def names_of(*names):
    return csv_with(*(json.dumps([name]) for name in names))


WARNED = {
    "commas in most cells": (
        csv_with("Science fiction, Fantasy"),
        [],
        "12 of 12 documents have a label that holds ',', while labels are separated by "
        "white space: 'fiction,' (12 documents). If it separates labels, give it as "
        "--label-separator.",
    ),
    "bars in some cells": (
        csv_with("a", "b", "a", "b", "a", "b", "a|b"),
        ["--label-separator", ";"],
        "1 of 12 documents have a label that holds '|', while labels are separated by "
        "';': 'a|b' (1 document).",
    ),
    "separator in no cell": (
        csv_with("big oak;warm", "sea"),
        ["--label-separator", "|"],
        "The separator '|' is in no cell, or separates nothing: each document has one "
        "label, such as 'big oak;warm' (6 documents), 'sea' (6 documents).",
    ),
    "commas in a folder": (
        {"train_texts.txt": lines_with("a {i}"), "train_labels.txt": "a,b\n" * 6},
        [],
        "6 of 6 documents have a label that holds ',', while labels are separated by "
        "white space: 'a,b' (6 documents). If it separates labels, write a space",
    ),
    "Unicode forms": (
        names_of("caf\u00e9", "cafe\u0301"),
        [],
        "stay different labels: 'caf\\xe9' (6 documents), 'cafe\\u0301' (6 documents).",
    ),
    "characters of no width": (
        names_of("big oak", "big\u200b oak", "big\u00adoak", "oak\ufeff", "oak"),
        [],
        "'big\\u200b oak' (3 documents), 'big oak' (3 documents); 'oak\\ufeff' (2 "
        "documents), 'oak' (2 documents).",
    ),
    "zeros and ones": (
        {"train.csv": "text,toxic,insult\n" + "a,0,1\nb,1,0\n" * 6},
        ["--label-column", "toxic"],
        "The only labels are '0' (6 documents), '1' (6 documents). Where each label has "
        "a column of 0 and 1, give all of them as --label-column",
    ),
    "true and false": (
        csv_with("True", "False"),
        [],
        "The only labels are 'True' (6 documents), 'False' (6 documents).",
    ),
    "one label everywhere": (
        csv_with("warm a", "warm b"),
        [],
        "1 label is on every document, and of no use: 'warm' (12 documents).",
    ),
    "texts many times": (
        {"train.csv": "text,labels\n" + "none,a\nnone,b\nrose,b\nnone,b\n"},
        [],
        "2 of 4 documents repeat the text of an earlier one: 'none' (3 times).",
    ),
    "long texts": (
        {"train.csv": f"text,labels\n{'word ' * 200},a\n{'word ' * 127},b\nsea,b\n"},
        [],
        "2 of 3 documents are longer than 128 tokens, the default of max_tokens, and a "
        "transformer does not see the rest: the median has 127 words.",
    ),
}


@pytest.mark.parametrize("case", WARNED)
def test_data_with_a_warning(prepare, tmp_path, case):
    files, arguments, expected = WARNED[case]
    output, found = prepare(files, *arguments)
    assert found is not None, output
    warnings = [li for li in output.splitlines() if li.startswith("Warning: ")]
    assert [line for line in warnings if expected in line], output
    summary = json.loads((tmp_path / "made/summary.json").read_text())
    assert len(summary["warnings"]) == len(warnings)


def test_good_data_without_a_warning(prepare):
    cells = ['["Science, fiction", "sea"]', '["sky"]', '["old"]', '["sky", "new"]']
    output, _ = prepare(csv_with(*cells))
    assert "Warning" not in output
    assert "Most frequent: 'sky' (6), 'Science, fiction' (3), 'sea' (3)\n" in output
    assert output.rstrip().endswith("Others: 'new' (3), 'old' (3)")


@pytest.mark.parametrize(
    "names",
    [
        ["train-00000-of-00002.csv", "train-00001-of-00002.csv"],
        ["data/train-00000-of-00002-af3.csv", "data/train-00001-of-00002-0b1.csv"],
        ["part-00000-af3.c000.csv", "part-00001-af3.c000.csv"],
        ["train/part-00000.csv", "train/part-00001.csv"],
        ["trn-00000-of-00002.csv.gz", "trn-00001-of-00002.csv.gz"],
    ],
)
def test_a_part_in_several_files(prepare, tmp_path, names):
    def pack(name, labels):
        content = csv_of(labels).encode()
        return gzip.compress(content) if name.endswith(".gz") else content

    files = {name: pack(name, [f"l{i}"] * 3) for i, name in enumerate(names)}
    test = names[0].replace("00002", "00001").replace("trn", "tst")
    test = test.replace("train", "test") if "part" not in test else "test.csv"
    files[test] = pack(test, ["l0"])
    output, found = prepare(files)
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
def test_files_of_a_part_that_are_not_whole(prepare, names, message):
    content = csv_of(["warm"]).encode()
    files = {n: gzip.compress(content) if ".gz" in n else content for n in names}
    output, found = prepare(files)
    assert found is None and message in output, output


def test_bad_lines_of_a_part_in_several_files(prepare, tmp_path, caplog):
    names = ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"]
    good = '{"text": "rose", "labels": ["warm"]}\n'
    files = {names[0]: good, names[1]: good + '{"text": "sea", "labels": [0, 2, 0]}\n'}
    output, _ = prepare(files)
    assert f"{tmp_path}/source/{names[1]}:2: Expected different label ids" in output
    _, found = prepare(files, "--skip-bad-lines")
    assert found == [{"warm"}] * 2
    assert "train: 1 documents left out" in caplog.text
