"""Data files that cannot be read as meant: refused with the remedy."""

import re

import pytest

from tests.helpers.data_files import csv_of, csv_with, lines_with, parquet_of

SET = "{'warm', 'big'}"
URIS = "rose {i}\t<http://x/1>,<http://x/2>"
REFUSED = {
    "set": (csv_with(SET), [], "train.csv:2: Expected labels: .*'warm', 'big'"),
    "set, separator": (
        csv_with(SET),
        ["--label-separator", ","],
        "Expected labels: strings",
    ),
    "column names in the middle": (
        {"train.csv": "text,labels\na,warm\ntext,labels\nb,big\n"},
        [],
        "train.csv:3: Expected a document. Received: the column names again",
    ),
    "lists in a folder": (
        {
            "train_texts.txt": lines_with("rose {i}"),
            "train_labels.txt": lines_with('["warm", "big plant"]'),
        },
        [],
        "train_labels.txt:1: Expected labels separated by white space. Received: a "
        "list",
    ),
    "lists in brackets, one name each": (
        csv_with("(warm)", "(warm; big)"),
        [],
        "train.csv:3: Expected labels",
    ),
    "URIs with commas": (
        {"train.tsv": lines_with("rose {i}\t<http://x/1>", URIS)},
        [],
        "train.tsv:2: Expected labels",
    ),
    "list cut off": (
        csv_with("['warm', 'big"),
        [],
        "Expected labels: strings with .* or a list",
    ),
    "array with dots": (
        csv_with("[0 0 ... 0 1]"),
        [],
        "Expected labels: strings with .* or a list",
    ),
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
        "tsv:1: Expected a column '3' once.* use --no-header and give columns by",
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
    "NUL in a label": (
        {"train.csv": b"text,labels\na,b\0c\n"},
        [],
        "train.csv:2: Expected label names without NUL",
    ),
    "prefix in upper case, format named": (
        {"train.txt": lines_with("__LABEL__warm rose {i}")},
        ["--format", "fasttext"],
        "train.txt:1: Expected labels.* begin with __label__.*'__LABEL__warm rose 0'",
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
def test_data_refused_with_the_remedy(prepare_files, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    files, arguments, pattern = REFUSED[case]
    output, found = prepare_files(files, *arguments)
    assert found is None, (output, found)
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and re.search(pattern, errors[0]), output
    assert "`" not in errors[0]
