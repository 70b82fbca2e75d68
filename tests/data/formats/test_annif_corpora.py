"""Annif's corpora, written as Annif's documentation has them."""

import csv
import gzip
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.data.formats.annif.annif_folder import AnnifFolder
from xmc_keras.data.formats.annif.annif_lines import AnnifLines
from xmc_keras.data.formats.find_format import find_format
from xmc_keras.data.formats.find_parts import find_parts
from xmc_keras.data.formats.options import Options
from xmc_keras.files.bad_input import BadInput

TITLES = {"http://x/1": "Katzen & Büro", "http://x/2": "big oak", "urn:x:3": "a, b"}
TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1)
LISTS = st.lists(st.sampled_from(list(TITLES)), min_size=1, max_size=3, unique=True)
CORPUS = st.lists(st.tuples(TEXTS, LISTS), min_size=1, max_size=4)


def brackets(uris):
    return " ".join(f"<{uri}>" for uri in uris)


def tsv(corpus):
    lines = "".join(f"{text}\t{brackets(uris)}\n" for text, uris in corpus)
    return {"train.tsv.gz": gzip.compress(lines.encode())}


def tsv_of_tabs(corpus):
    lines = (
        f"{text}\t{brackets(uris)}\r\n\n".replace(" <", "\t<") for text, uris in corpus
    )
    return {"train.tsv": "".join(lines).encode()}


def bare_tsv(corpus):
    corpus = [(text, [u for u in uris if u[0] == "h"] or uris) for text, uris in corpus]
    lines = "".join(f"{text}\t{' '.join(uris)}\n" for text, uris in corpus)
    return {"train.tsv": f"a\thttp://x/1\n{lines}".encode()}


def table(corpus):
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(["document_id", "text", "subject_uris", "subject_labels"])
    for number, (text, uris) in enumerate(corpus):
        cell = " ".join(uris) if number % 2 else brackets(uris)
        rows.writerow([number, text, cell, "; ".join(TITLES[uri] for uri in uris)])
    return {"train.csv": file.getvalue().encode()}


def subjects(uris):
    return [{"uri": uri, "label": TITLES[uri]} for uri in uris]


def json_lines(corpus):
    rows = [
        {"document_id": "7", "text": text, "metadata": {"title": "x"}}
        | {"subjects": subjects(uris)}
        for text, uris in corpus
    ]
    return {"train.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode()}


def folder(corpus):
    files = {}
    for i, (text, uris) in enumerate(corpus):
        files[f"{i:02}.txt"] = f"\ufeff{text}\n".encode()
        lines = "".join(f"<{uri}>\t{TITLES[uri]}\t42.1\n" for uri in uris)
        files[f"{i:02}.tsv"] = lines.encode()
    return files


def json_folder(corpus):
    rows = [{"text": text, "subjects": subjects(uris)} for text, uris in corpus]
    files = {f"{i:02}.json": json.dumps(x, indent=1) for i, x in enumerate(rows)}
    return {name: content.encode() for name, content in files.items()}


WRITERS = [tsv, tsv_of_tabs, table, json_lines, folder, json_folder]


def read(files, uris):
    with tempfile.TemporaryDirectory() as source:
        for name, content in files.items():
            Path(source, name).write_bytes(content)
        options = Options(uris=uris)
        format = find_format(source, options)
        part = find_parts(source, format, options=options if uris else None)["train"]
        found = [(document.text, document.labels) for document in part]
        return found, options.columns.titles


@pytest.mark.parametrize("write", WRITERS)
@settings(deadline=None, max_examples=25)
@given(corpus=CORPUS)
def test_labels_are_uris(write, corpus):
    uris = write not in (tsv, tsv_of_tabs)  # where there are labels, too
    found, titles = read(write(corpus), uris)
    assert found == corpus
    if write in (json_lines, folder, json_folder):
        assert titles == {u: TITLES[u] for _, names in corpus for u in names}


@pytest.mark.parametrize("write", [json_lines, folder, json_folder])
def test_labels_are_names_otherwise(write):
    corpus = [("red", list(TITLES)), ("blue", ["http://x/2"])]
    found, titles = read(write(corpus), uris=False)
    assert found == [(text, [TITLES[u] for u in uris]) for text, uris in corpus]
    assert titles == {}


@settings(deadline=None, max_examples=25)
@given(CORPUS)
def test_uris_without_brackets(corpus):
    [first, *found], _ = read(bare_tsv(corpus), uris=False)
    assert first == ("a", ["http://x/1"])
    assert [text for text, _ in found] == [text for text, _ in corpus]
    for (_, labels), (_, uris) in zip(found, corpus):
        assert labels == ([u for u in uris if u[0] == "h"] or uris)


@pytest.mark.parametrize(
    "line, name, of_uris",
    [
        ("<http://x/1>\tbig  oak", "big oak", "http://x/1"),
        ("<http://x/1>", "http://x/1", "http://x/1"),
        ("http://x/1\tbig oak", "big oak", "http://x/1"),
        ("big oak", "big oak", "big oak"),
        ("\tbig oak\t<http://x/1>", "big oak", "big oak"),
        ("<http://x/1>\t\toak\t42", "oak", "http://x/1"),
    ],
)
def test_lines_of_subjects(tmp_path, line, name, of_uris):
    (tmp_path / "a.txt").write_text("rose")
    (tmp_path / "a.key").write_text(f"{line}\n\n")
    for expected, options in ((name, Options()), (of_uris, Options(uris=True))):
        [document] = AnnifFolder(tmp_path, columns=options.columns)
        assert document.labels == [expected]


@pytest.mark.parametrize(
    "content, line, message",
    [
        (b"a\t<x:1>\nb\n", 2, "a text, a tab and URIs, <http://x/1> <http"),
        (b"a\t<x:1>\nb\t\n", 2, "Expected labels. Received: none"),
        (b"a\t<x:1>\n\n\t<x:1>\n", 3, "Expected a text. Received: none"),
        (b"a\t<x:1>\n\xff\t<x:1>\n", 2, "Expected UTF-8"),
        (b"", None, "Expected lines. Received: an empty file"),
    ],
)
def test_bad_lines(tmp_path, content, line, message):
    path = tmp_path / "train.tsv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message) as error:
        list(AnnifLines(path))
    assert (error.value.path, error.value.line) == (path, line)
    if content:
        left_out = []
        assert [d.labels for d in AnnifLines(path, left_out.append)] == [["x:1"]]
        assert len(left_out) == 1


@pytest.mark.parametrize(
    "content, message",
    [
        ('{"text": "a"}', "a JSON object with a text and a list of subjects"),
        ('{"text": "a", "subjects": {}}', "a JSON object with a text"),
        ('{"text": 1, "subjects": []}', "a JSON object with a text"),
        ('{"text": "a", "subjects": []}', "Expected labels. Received: none"),
        ('{"text": "a", "subjects": [1.5]}', "a JSON object with a text"),
        ("{", "a JSON object with a text"),
        (b"\xff", "Expected UTF-8"),
    ],
)
def test_bad_json(tmp_path, content, message):
    (tmp_path / "a.json").write_text('{"text": "a", "subjects": [{"uri": "x:1"}]}')
    path = tmp_path / "b.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput, match=message) as error:
        list(AnnifFolder(tmp_path))
    assert error.value.path == path
    left_out = []
    assert len(list(AnnifFolder(tmp_path, left_out.append))) == len(left_out) == 1


def test_names_looked_up_in_a_vocabulary(call, tmp_path):
    source, made = tmp_path / "source", tmp_path / "made"
    source.mkdir()
    for i, key in enumerate(("Cats\n", "Dogs\nother\n", "Cats\n")):
        (source / f"{i}.txt").write_text(f"text {i}")
        (source / f"{i}.key").write_text(key)
    (tmp_path / "v.csv").write_text("uri,label_en\nhttp://x/1,Cats\nhttp://x/2,Dogs\n")
    arguments = ["prepare", source, made, "--label-texts", tmp_path / "v.csv"]
    result = call(*arguments)
    assert result.status == 2 and "with --uris labels that have a URI" in result.stderr
    result = call(*arguments, "--uris")
    assert result.status == 0, result.stderr
    labels = (made / "train_labels.txt").read_text().split("\n")[:-1]
    assert labels == ["http://x/1", "http://x/2 other", "http://x/1"]
    assert "such as 'other'" in result.stdout
    result = call("prepare", made, tmp_path / "again", "--uris")
    assert result.status == 2 and "Leave out --uris, which is for csv" in result.stderr
