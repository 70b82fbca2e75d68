"""Titles and texts of labels, from files of other programs."""

import csv
import gzip
import io
import json
import lzma
import tempfile
from pathlib import Path

import pytest
import rdflib
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rdflib.namespace import RDF, RDFS, SKOS

from xmc_keras.data.preparing.vocabularies.read_vocabulary import read_vocabulary
from xmc_keras.files.bad_input import BadInput

TURTLE = """@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xl: <http://www.w3.org/2008/05/skos-xl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix x: <http://x/> .
x:1 a skos:Concept ; skos:prefLabel "cats"@en, "kissat"@fi ;
    skos:altLabel "felines"@en, "moggies"@en, "mirri"@fi ;
    skos:definition "Small  animals.\\n"@en ; skos:hiddenLabel "catz"@en .
x:2 skos:prefLabel "koirat"@fi .
x:3 a skos:Concept ; rdfs:label "birds" .
x:4 xl:prefLabel [ xl:literalForm "fish"@en ] ; xl:altLabel x:l1 .
x:l1 xl:literalForm "fishes"@en .
x:5 a skos:Concept .
x:6 skos:prefLabel "horses"@en-GB, ""@en .
x:7 a skos:ConceptScheme ; rdfs:label "Animals"@en .
"""
EXPECTED = {
    "en": ["cats", "koirat", "birds", "fish", None, "horses"],
    "fi": ["kissat", "koirat", "birds", "fish", None, "horses"],
    "EN-gb": ["cats", "koirat", "birds", "fish", None, "horses"],
}


def write(folder, name, content):
    content = content.encode() if isinstance(content, str) else content
    pack = {".gz": gzip.compress, ".xz": lzma.compress}.get(name[-3:], bytes)
    path = Path(folder, name)
    path.write_bytes(pack(content))
    return path


def rdf_xml(turtle):
    return rdflib.Graph().parse(data=turtle, format="turtle").serialize(format="xml")


@pytest.mark.parametrize("language", EXPECTED)
@pytest.mark.parametrize("name", ["v.ttl", "v.rdf", "v.xml.gz", "v.skos", "v.owl.xz"])
def test_skos(tmp_path, name, language):
    content = rdf_xml(TURTLE) if name[2:5] in ("rdf", "xml", "owl") else TURTLE
    found = read_vocabulary(write(tmp_path, name, content), language)
    pairs = zip(range(1, 7), EXPECTED[language])
    assert found.titles == {f"http://x/{i}": title for i, title in pairs if title}
    text = {
        "en": "cats. felines, moggies. Small animals.",
        "fi": "kissat. mirri",
        "EN-gb": "cats",
    }[language]
    assert found.texts["http://x/1"] == text
    assert found.texts["http://x/4"] == "fish" + ". fishes" * (language == "en")
    assert set(found.texts) == set(found.titles)


def test_the_language_of_most_titles(tmp_path, caplog):
    caplog.set_level("INFO")
    found = read_vocabulary(write(tmp_path, "v.ttl", TURTLE))
    assert found.titles["http://x/1"] == "cats"  # two each; the first in the alphabet
    more = '\nx:8 skos:prefLabel "lehmät"@fi, "kor"@sv . x:9 skos:prefLabel "sika"@fi .'
    found = read_vocabulary(write(tmp_path, "v.ttl", TURTLE + more))
    assert found.titles["http://x/1"] == "kissat"
    assert "titles in fi, where there are en, en-GB, fi, sv" in caplog.text


TITLES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]))
TITLES = TITLES.map(lambda x: " ".join(x.split())).filter(bool)
CONCEPTS = st.dictionaries(
    st.integers(0, 99).map(lambda i: f"http://example.org/c{i}"),
    st.dictionaries(st.sampled_from(["", "en", "fi"]), TITLES, min_size=1),
    min_size=1,
    max_size=5,
)
QUICK = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)


@QUICK
@given(CONCEPTS, st.sampled_from(["turtle", "xml", "nt"]), st.booleans())
def test_skos_as_rdflib_writes_it(concepts, kind, preferred):
    graph = rdflib.Graph()
    for uri, titles in concepts.items():
        graph.add((rdflib.URIRef(uri), RDF.type, SKOS.Concept))
        for code, title in titles.items():
            label = rdflib.Literal(title, lang=code or None)
            property = SKOS.prefLabel if preferred else RDFS.label
            graph.add((rdflib.URIRef(uri), property, label))
    end = {"turtle": ".ttl", "xml": ".rdf", "nt": ".nt"}[kind]
    check_titles(end, graph.serialize(format=kind), concepts)


@QUICK
@given(CONCEPTS, st.sampled_from([",", ";", "\t"]))
def test_annifs_tables(concepts, delimiter):
    file = io.StringIO()
    rows = csv.writer(file, delimiter=delimiter)
    rows.writerow(["URI", "notation", "label_fi", "label", "label_en"])
    for uri, titles in concepts.items():
        cells = [titles.get(code, "") for code in ("fi", "", "en")]
        rows.writerow([f"<{uri}>", "42.1", *cells])
    check_titles(".csv", file.getvalue(), concepts)


def check_titles(end, content, concepts):
    """Titles are those in Finnish, or without a language, or in English."""
    known = {code for titles in concepts.values() for code in titles}
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, f"v{end}", content)
        if "fi" not in known:
            with pytest.raises(BadInput, match="Expected titles in fi"):
                read_vocabulary(path, "fi")
            return
        found = read_vocabulary(path, "fi")
    best = {
        uri: next(titles[code] for code in ("fi", "", "en") if code in titles)
        for uri, titles in concepts.items()
    }
    assert found.titles == best
    assert all(found.texts[uri].startswith(title) for uri, title in best.items())


@pytest.mark.parametrize(
    "name, content, titles, texts",
    [
        (
            "v.csv",
            'label,text\nbig  oak,"A tree.\nIt grows."\nfir,' + "x" * 101 + "\n",
            {"big oak": "A tree."},
            {"big oak": "A tree. It grows.", "fir": "x" * 101},
        ),
        (
            "v.csv",
            "id,Title,Description\n7,Oak,A tree\n8,,Another\n9,,\n",
            {"7": "Oak"},
            {"7": "Oak. A tree", "8": "Another"},
        ),
        (
            "v.tsv",
            "uri\tlabel_en\n<http://x/1>\toak\n",
            {"http://x/1": "oak"},
            {"http://x/1": "oak"},
        ),
        (
            "v.tsv.gz",
            "\ufeff<http://x/1>\tbig oak\t42.1\r\n<http://x/2>\r\n",
            {"http://x/1": "big oak"},
            {"http://x/1": "big oak"},
        ),
        (
            "label_texts.txt",
            "role::game\tA game.\n\noak\t" + "word " * 30 + "\n",
            {"role::game": "A game."},
            {"role::game": "A game.", "oak": "word " * 29 + "word"},
        ),
        (
            "lbl.json.gz",
            '{"title": "Oak"}\n{"uid": "7"}\n{"title": "Oak", "content": "A tree."}\n',
            {"Oak ~0": "Oak", "Oak ~2": "Oak"},
            {"Oak ~0": "Oak", "Oak ~2": "Oak A tree."},
        ),
    ],
)
def test_tables_and_lines(tmp_path, name, content, titles, texts):
    found = read_vocabulary(write(tmp_path, name, content))
    assert (found.titles, found.texts) == (titles, texts)


@pytest.mark.parametrize(
    "name, content, language, line, message",
    [
        ("v.ttl", "<http://x/1> a .", None, 1, "SKOS in Turtle. Received: "),
        ("v.ttl", TURTLE + "x:8 y:z 1 .\n", None, 15, "SKOS in Turtle"),
        ("v.ttl", b"# \n# \xff", None, 2, "Expected UTF-8. Received: byte 0xff"),
        ("v.rdf", "<?xml version='1.0'?>\n<a>\n</b>", None, 3, "SKOS in RDF/XML"),
        ("v.ttl", "", None, None, "Expected texts of labels. Received: none"),
        ("v.ttl", TURTLE, "de", None, "titles in de. Received: en, en-GB, fi. Give an"),
        ("v.ttl", TURTLE, "e n", None, "code of a language, such as en"),
        ("v.csv", "uri,label_en\nx,a\n", "fi", None, "in fi. Received: en"),
        ("v.csv", "label,text\nx,a\n", "fi", None, "Received: none with a language"),
        ("v.tsv", "x\ta\n", "fi", None, "Received: none with a language. Give another"),
        (
            "v.json",
            '{"title": "a"}\n',
            "fi",
            None,
            "Expected titles in fi. Received: no",
        ),
        ("v.csv", "a,b\n1,2\n", None, 1, "a column of labels (uri, id, uid, label, na"),
        ("v.csv", "label,text\nx,a\nx,b\n", None, 3, "once. Received: 'x' again"),
        ("v.csv", "label,text\n,a\n", None, 2, "once. Received: none"),
        ("v.csv", "label,text\nx,a,b\n", None, 2, "Expected 2 cells. Received: 3"),
        ("v.csv", 'label,text\nx,"a\n', None, 2, "Expected CSV"),
        ("v.tsv", "x\n", None, 1, "Expected a label, a tab and a text"),
        ("v.tsv", "<http://x/1>\ta\n<http://x/1>\tb\n", None, 2, "'http://x/1' again"),
        ("v.tsv", b"x\t\xff\n", None, 1, "Expected UTF-8"),
        ("v.json", '{"a": 1}\n[]\n', None, 2, "Expected a JSON object"),
        ("v.pdf", "", None, None, "Expected a file with texts of labels, which ends"),
        ("none.ttl", None, None, None, "none.ttl"),
    ],
)
def test_bad_files(tmp_path, name, content, language, line, message):
    path = tmp_path / name if content is None else write(tmp_path, name, content)
    with pytest.raises(BadInput) as error:
        read_vocabulary(path, language)
    assert message in str(error.value) and error.value.line == line


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([".ttl", ".rdf", ".csv", ".tsv", ".json"]), st.binary())
@example(".csv", b"\x00\r\x00")
@example(".tsv", b"label\rtitle")
def test_any_bytes(end, content):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, f"v{end}", content)
        try:
            found = read_vocabulary(path)
        except BadInput as error:
            assert error.path == path
        else:
            assert all("\n" not in x for x in found.titles.values()) and found.names


def test_without_rdflib(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "rdflib", None)
    with pytest.raises(BadInput, match=r"pip install 'xmc-keras\[skos\]'"):
        read_vocabulary(write(tmp_path, "v.ttl", TURTLE))


# === xmc prepare ===

DOCUMENTS = [("red", ["http://x/1"]), ("blue", ["http://x/3", "http://x/9"])] * 3
TSV = "".join(
    f"{text} {i}\t{' '.join(f'<{uri}>' for uri in uris)}\n"
    for i, (text, uris) in enumerate(DOCUMENTS)
)


@pytest.fixture
def prepare(tmp_path, call):
    def prepare(content, vocabulary, *options, source="train.tsv", name="v.ttl"):
        if content is not None:
            write(tmp_path, source, content)
        if vocabulary is not None:
            options = ["--label-texts", write(tmp_path, name, vocabulary), *options]
        arguments = [tmp_path / source, tmp_path / "made", *options]
        result = call("prepare", *arguments, tensorflow=False)
        result.made = tmp_path / "made"
        return result

    return prepare


def lines_of(path):
    rows = path.read_text("utf-8").splitlines() if path.exists() else []
    return dict(row.split("\t") for row in rows)


def test_prepare(prepare):
    result = prepare(TSV, TURTLE, "--label-language", "fi")
    assert result.status == 0, result.stderr
    assert "2 labels have a text, 2 a title." in result.stdout
    assert "Warning: 1 of 3 labels has no title and no text, such as 'http://x/9'" in (
        result.stdout
    )
    assert lines_of(result.made / "label_titles.txt") == {
        "http://x/1": "kissat",
        "http://x/3": "birds",
    }
    assert lines_of(result.made / "label_texts.txt")["http://x/1"] == "kissat. mirri"
    summary = json.loads((result.made / "summary.json").read_text())
    assert (summary["label_texts"], summary["label_titles"]) == (2, 2)


@pytest.mark.parametrize(
    "vocabulary, options, message",
    [
        (
            TURTLE.replace("//x/", "//y/"),
            [],
            "such as 'http://x/1'. Received: 5 of oth",
        ),
        (TURTLE, ["--label-language", "de"], "Expected titles in de"),
        (TURTLE + "x", [], "v.ttl:"),
        (
            None,
            ["--label-language", "en"],
            "Give --label-texts, or leave out --label-l",
        ),
    ],
)
def test_prepare_refuses(prepare, vocabulary, options, message):
    result = prepare(TSV, vocabulary, *options)
    errors = [x for x in result.stderr.splitlines() if x.startswith("error: ")]
    assert result.status == 2 and len(errors) == 1 and message in errors[0], errors
    assert not result.made.exists() and not result.made.with_name("made.part").exists()


def test_labels_with_white_space(prepare):
    csv = "text,labels\na,big oak;fir\nb,big oak\n"
    table = "label,title\nbig oak,Eiche\nfir,Tanne\n"
    options = ["--label-separator", ";"]
    result = prepare(csv, table, *options, source="train.csv", name="v.csv")
    assert lines_of(result.made / "label_titles.txt") == {
        "big_oak": "Eiche",
        "fir": "Tanne",
    }
    # A name is also found as it is written.
    table = "label,title\nbig_oak,Eiche\n"
    options += ["--overwrite"]
    result = prepare(csv, table, *options, source="train.csv", name="v.csv")
    assert lines_of(result.made / "label_titles.txt") == {"big_oak": "Eiche"}


def test_a_folder_keeps_them(prepare, call, tmp_path):
    made = prepare(TSV, TURTLE).made
    assert call("prepare", made, tmp_path / "again").status == 0
    for name in ("label_titles.txt", "label_texts.txt"):
        assert (tmp_path / "again" / name).read_bytes() == (made / name).read_bytes()
    table = write(tmp_path, "v.csv", "uri,label_sv\nhttp://x/1,katter\n")
    arguments = ["--label-texts", table]
    assert call("prepare", made, tmp_path / "third", *arguments).status == 0
    titles = lines_of(tmp_path / "third/label_titles.txt")
    assert titles == {"http://x/1": "katter", "http://x/3": "birds"}
