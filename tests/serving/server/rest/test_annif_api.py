"""The part of Annif's REST interface that its `http` backend needs.

`tests/end_to_end/test_annif.py` has Annif itself ask.
"""

import contextlib
import csv
import datetime
import io
import json
import types
from urllib.parse import unquote, urlencode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.rest_server import OneVersion, request, serving
from xmc_keras.serving.server.label_search import LabelSearch
from xmc_keras.serving.server.rest.annif_api import FORM, read_form
from xmc_keras.serving.server.rest.label_uris import LabelUris
from xmc_keras.serving.server.serving_error import ServingError

PROJECT = "/v1/projects/m"
SUGGEST = f"{PROJECT}/suggest"
PREFIX = "http://example.org/"
UNICODE = st.text(st.characters(codec="utf-8"))
TEXT = "A puzzle game, größer & bunter"


@pytest.fixture(scope="module")
def port(golden_model):
    """The golden model, whose labels L0 to L9 are no URIs, with a prefix."""
    with serving(OneVersion("m", golden_model), uri_prefix=PREFIX) as port:
        yield port


def post(port, path=SUGGEST, kind=FORM, **form):
    return request(port, "POST", path, urlencode(form), {"content-type": kind})


def top(model, text, k):
    """What the model itself says: names and scores."""
    inputs = {"text": np.array([text.encode()], object), "k": np.int32([k])}
    found = model.predict(inputs, "top_k")
    return [name.decode() for name in found["labels"][0]], found["scores"][0].tolist()


@pytest.mark.parametrize("limit", [None, 0, 1, 3, 10, 100, 2**40])
def test_suggests_what_the_model_does(port, golden_model, limit):
    form = {"text": TEXT, "project": "other", "metadata_title": "ignored"}
    form |= {} if limit is None else {"limit": limit}
    found = post(port, **form)
    names, scores = top(golden_model, TEXT, 10)
    expected = [
        {"uri": PREFIX + name, "label": name, "score": score}
        for name, score in zip(names, scores)
    ]
    assert (found.status, found.type) == (200, "application/json")
    assert found.json == {"results": expected[: 100 if limit is None else limit]}


def test_threshold(port, golden_model):
    _, scores = top(golden_model, TEXT, 10)
    found = post(port, text=TEXT, threshold=scores[3])
    assert [hit["score"] for hit in found.json["results"]] == scores[:4]


@pytest.mark.parametrize("text", ["", " \n", "?!", "-"])
def test_a_text_without_words_has_no_labels(port, text):
    found = post(port, text=text)
    assert (found.status, found.json) == (200, {"results": []})


def test_raw_utf8_as_curl_sends_it(port, golden_model):
    found = request(port, "POST", SUGGEST, f"text={TEXT}".partition("&")[0])
    names, _ = top(golden_model, TEXT.partition("&")[0], 10)
    assert [hit["label"] for hit in found.json["results"]] == names


def test_information(port, golden_version):
    found = request(port, "GET", PROJECT).json
    assert found["project_id"] == found["name"] == "m" and found["is_trained"] is True
    assert found["backend"] == {"backend_id": "xmc_keras"}
    time = datetime.datetime.fromisoformat(found["modification_time"])
    assert time.timestamp() == int((golden_version / "saved_model.pb").stat().st_mtime)
    assert request(port, "GET", "/v1/projects").json == {"projects": [found]}
    # As the http backend finds it.
    assert request(port, "GET", SUGGEST.replace("/suggest", "")).json == found


@pytest.mark.parametrize(
    "method, path, body, kind, status, message",
    [
        ("POST", SUGGEST, "limit=3", FORM, 400, "the field text. Received: limit"),
        ("POST", SUGGEST, "", FORM, 400, "the field text. Received: no field"),
        ("POST", SUGGEST, '{"text": "a"}', "application/json", 400, "Expected a form"),
        ("POST", SUGGEST, "--x", "multipart/form-data; boundary=x", 400, "a form"),
        ("POST", SUGGEST, "text=a&limit=-1", FORM, 400, "limit to be a number from 0"),
        ("POST", SUGGEST, "text=a&limit=x", FORM, 400, "Received: 'x'"),
        ("POST", SUGGEST, "text=a&limit=", FORM, 400, "Received: ''"),
        ("POST", SUGGEST, "text=a&threshold=nan", FORM, 400, "threshold to be a num"),
        ("POST", SUGGEST, "text=a&threshold=2", FORM, 400, "from 0 to 1"),
        ("POST", SUGGEST, "text=%ff", FORM, 400, "in UTF-8"),
        ("POST", SUGGEST, b"text=\xff", FORM, 400, "in UTF-8"),
        ("POST", SUGGEST, "a=1&" * 2000, FORM, 400, "at most 1000 fields"),
        ("POST", SUGGEST, "text=" + "a" * 5_000_000, FORM, 413, "at most 4194304"),
        ("GET", SUGGEST, None, FORM, 400, "Expected GET of /v1/projects/NAME, or POST"),
        ("PUT", PROJECT, None, FORM, 400, "Received: PUT /v1/projects/m"),
        ("GET", f"{PROJECT}/learn", None, FORM, 400, "Received: GET /v1/projects/m/l"),
        ("GET", "/v1/projects/x", None, FORM, 404, "of the model, m, as project"),
        ("POST", "/v1/projects/x/suggest", "text=a", FORM, 404, "Received: x"),
        ("GET", f"{PROJECT}/vocabulary.csv", None, FORM, 404, "with labels.txt"),
        ("GET", f"{PROJECT}/vocabulary.csv?language=e,n", None, FORM, 400, "'e,n'"),
    ],
)
def test_bad_requests(port, method, path, body, kind, status, message):
    found = request(port, method, path, body, {"content-type": kind})
    assert found.status == status and list(found.json) == ["error"]
    assert message in found.json["error"] and "\n" not in found.json["error"]


class Library:
    """A model whose labels are URIs; pads, titles and scores as given."""

    signatures = {"top_k": types.SimpleNamespace(inputs={"text": 0, "k": 0})}

    def __init__(self, answer, titles, path):
        self.answer, self.path = answer, path
        names = [name for name, _ in answer if name]
        titles = [titles.get(name, "") for name in names] if titles else []
        lines = ("".join(f"{x}\n" for x in rows).encode() for rows in (names, titles))
        self.label_search = LabelSearch(*lines)

    def predict(self, inputs, name):
        k = int(inputs["k"][0])
        names = np.array([[n.encode() for n, _ in self.answer[:k]]], object)
        return {"labels": names, "scores": np.float32([[s for _, s in self.answer]])}


ANSWER = [
    ("http://yso/p1", 0.75),
    ("other", 0.5),
    ("urn:x:2", 0.25),
    ("http://yso/p3", 0.0),
    ("", 0.0),
]


@pytest.mark.parametrize(
    "titles, prefix, expected",
    [
        ({}, None, [("http://yso/p1", "http://yso/p1"), ("urn:x:2", "urn:x:2")]),
        (
            {"urn:x:2": "Büro"},
            "http://e/",
            [("urn:x:2", "Büro")],
        ),
        (
            {"other": "Other", "http://yso/p1": "Cats"},
            "http://e/",
            [("http://yso/p1", "Cats"), ("http://e/other", "Other")],
        ),
        ({"other": "Other"}, None, []),
    ],
)
def test_only_real_labels_go_out(tmp_path, titles, prefix, expected):
    models = OneVersion("m", Library(ANSWER, titles, tmp_path))
    with serving(models, uri_prefix=prefix) as port:
        found = post(port, text="cats").json["results"]
        vocabulary = request(port, "GET", f"{PROJECT}/vocabulary.csv?language=fi")
    assert [(hit["uri"], hit["label"]) for hit in found] == expected
    rows = list(csv.reader(io.StringIO(vocabulary.body.decode())))
    assert rows[0] == ["uri", "label_fi"]
    left_out = [["http://yso/p3"] * 2] if not titles else []
    assert sorted(rows[1:]) == sorted([*map(list, expected), *left_out])


def test_labels_that_are_no_uris(golden_model):
    with serving(OneVersion("m", golden_model)) as port:
        found = post(port, text=TEXT)
    assert found.status == 400
    assert found.json["error"].startswith("Expected labels that are URIs. Received: L")
    assert "--uri-prefix" in found.json["error"]


def test_models_of_features(tmp_path):
    model = Library(ANSWER, {}, tmp_path)
    model.signatures = {"top_k": types.SimpleNamespace(inputs={"indices": 0, "k": 0})}
    with serving(OneVersion("m", model)) as port:
        found = post(port, text=TEXT)
    assert found.status == 400 and "a model of texts" in found.json["error"]


@given(
    st.dictionaries(UNICODE, UNICODE, max_size=5),
    UNICODE,
    st.integers(0, 10**17),
    st.floats(0, 1),
)
def test_forms(others, text, limit, threshold):
    expected = {"text": text, "limit": limit, "threshold": threshold}
    body = urlencode({**others, **expected}).encode()
    assert read_form(body, f"{FORM}; charset=utf-8") == expected


@given(st.binary(max_size=60))
def test_any_bytes(body):
    with contextlib.suppress(ServingError):
        form = read_form(body, "")
        assert json.dumps(form) and 0 <= form["threshold"] <= 1


@given(UNICODE.filter(len))
def test_uris_of_names_differ_and_are_ascii(name):
    uri = LabelUris(PREFIX).find(name)
    if uri != name:
        assert uri.isascii() and " " not in uri
        assert unquote(uri.removeprefix(PREFIX)) == name
