"""Warnings in the summary of `xmc prepare`."""

import json

import pytest

from tests.helpers.data_files import csv_with, lines_with
from xmc_keras.config.config import Config
from xmc_keras.data.preparing.data_warnings import MAX_TOKENS


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
    "commas of Chinese and Japanese": (
        csv_with("海，空"),
        [],
        "12 of 12 documents have a label that holds '，', ",
    ),
    "lists and text": (
        {
            "train.jsonl": "".join(
                lines_with(row)
                for row in (
                    '{{"text": "a {i}", "labels": ["sea", "big oak"]}}',
                    '{{"text": "b {i}", "labels": "big oak"}}',
                )
            )
        },
        [],
        "Some label cells are lists, and others text that is split at white space, "
        "such as 'big oak'. Write all as lists, or give a separator",
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
        "The only labels are '0' (6 documents), '1' (6 documents). Where each label "
        "has a column of 0 and 1, give all of them as --label-column",
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
    "test labels of other data": (
        {
            "train.csv": "text,labels\n" + lines_with("a {i},a{i}"),
            "test.csv": "text,labels\n" + lines_with("b {i},b{i}"),
        },
        [],
        "None of the 6 labels of the test part is in the training part: a model cannot",
    ),
    "long texts": (
        {"train.csv": f"text,labels\n{'word ' * 200},a\n{'word ' * 127},b\nsea,b\n"},
        [],
        "2 of 3 documents are longer than 128 tokens, the default of max_tokens, and a "
        "transformer does not see the rest: the median has 127 words.",
    ),
}


@pytest.mark.parametrize("case", WARNED)
def test_data_with_a_warning(prepare_files, tmp_path, case):
    files, arguments, expected = WARNED[case]
    output, found = prepare_files(files, *arguments)
    assert found is not None, output
    warnings = [li for li in output.splitlines() if li.startswith("Warning: ")]
    assert [line for line in warnings if expected in line], output
    summary = json.loads((tmp_path / "made/summary.json").read_text())
    assert len(summary["warnings"]) == len(warnings)


def test_good_data_without_a_warning(prepare_files):
    cells = ['["Science, fiction", "sea"]', '["sky"]', '["old"]', '["sky", "new"]']
    output, _ = prepare_files(csv_with(*cells))
    assert "Warning" not in output
    assert "Most frequent: 'sky' (6), 'Science, fiction' (3), 'sea' (3)\n" in output
    assert output.rstrip().endswith("Others: 'new' (3), 'old' (3)")


def test_the_default_of_max_tokens():
    config = Config(system="lightdxml", encoder="words")
    assert config.max_tokens == MAX_TOKENS
