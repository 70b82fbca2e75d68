"""What the page asks the server for, over HTTP."""

import html
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.rest_server import LIMIT, OneVersion, request, serving
from xmc_keras.serving.server.rest.page.page_files import FOLDER

JSON = {"content-type": "application/json"}
CORRECTION = {"text": "A puzzle", "labels": ["L1"]}


def ask(port, path, body, **headers):
    return request(port, "POST", f"/page/{path}", body, JSON | headers)


def lines(corrections):
    return [json.loads(line) for line in corrections.path.read_text().splitlines()]


def test_page_is_whole_and_alone(port):
    found = request(port, "GET", "/")
    page = found.body.decode()
    assert (found.status, found.type) == (200, "text/html; charset=utf-8")
    for name in ("text", "submit", "labels", "error"):
        assert page.count(f'id="{name}"') == 1
    assert 'id="error" role="alert"' in page and "<h1" in page
    loaded = re.findall('(?:src|href)="(.+?)"', page)
    assert sorted(loaded) == ["data:,", "page/page.css", "page/page.js"]
    kinds = {"js": "text/javascript", "css": "text/css", "html": "text/html"}
    for path in FOLDER.iterdir():
        file = request(port, "GET", f"/page/{path.name}")
        assert (file.status, file.type.split(";")[0]) == (200, kinds[path.suffix[1:]])
        assert file.headers["x-content-type-options"] == "nosniff"
        text = file.body.decode()
        assert not re.search(r"https?://|innerHTML|insertAdjacent|\{\{|eval\(", text)
        # No part of the page is in another file than the policy allows.
        assert not re.search(r"<style|style=|\son\w+=|<script>", text)
    policy = found.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert request(port, "HEAD", "/").body == b""


def test_page_says_the_name_and_whether_corrections_are_kept(named_model, corrections):
    name = "<b>\"&'{{corrections}} é"
    for kept, word in [(None, "off"), (corrections, "on")]:
        with serving(OneVersion(name, named_model), corrections=kept) as port:
            page = request(port, "GET", "/").body.decode()
            (url,) = re.findall('action="(.+?)"', page)  # for `xmc ask`
            found = request(port, "POST", f"/{url}", {"instances": ["a"]})
            assert found.json.keys() == {"predictions"}
        assert f">{html.escape(name)}</h1>" in page
        assert f'data-corrections="{word}"' in page


@pytest.mark.parametrize(
    "path", ["page.py", "../page_files.py", "..%2fpage_files.py", "", "%00", "page.js/"]
)
def test_only_files_of_the_page_are_served(port, path):
    assert request(port, "GET", f"/page/{path}").status == 404


def test_labels_with_titles_as_the_model_ranks_them(port, named_model):
    found = ask(port, "labels", {"text": "A puzzle", "k": 3})
    inputs = {"text": np.array([b"A puzzle"], object), "k": np.array(3, np.int32)}
    expected = named_model.predict(inputs, "top_k")
    titles = {"L0": "Sea & sky", "L4": "Gemüse"}
    assert found.json == {
        "version": 1,
        "labels": [
            {"name": x.decode(), "title": titles.get(x.decode(), ""), "score": y}
            for x, y in zip(expected["labels"][0], expected["scores"][0].tolist())
        ],
    }
    everything = ask(port, "labels", {"text": "é\ud800", "k": 100}).json["labels"]
    assert {x["name"]: x["title"] for x in everything if x["title"]} == titles


class Answers:
    """A model with the outputs of one row, and signatures of one's own."""

    def __init__(self, model, labels, signatures):
        self.label_search, self.signature = model.label_search, model.signature
        self.signatures, self.labels = signatures, labels

    def predict(self, inputs, name):
        assert name == "serving_default" and inputs.keys() == {"text"}
        scores = np.linspace(0.9, 0.5, len(self.labels), dtype=np.float32)
        return {"labels": np.array([self.labels], object), "scores": scores[np.newaxis]}


def test_a_model_without_top_k_is_cut_and_padding_left_out(named_model):
    model = Answers(named_model, [b"L1", b"L2", b"", b""], ["serving_default"])
    with serving(OneVersion("m", model)) as port:
        for k, expected in [(1, ["L1"]), (4, ["L1", "L2"]), (100, ["L1", "L2"])]:
            found = ask(port, "labels", {"text": "a", "k": k}).json["labels"]
            assert [label["name"] for label in found] == expected


def test_a_model_of_features_is_explained(named_model):
    model = Answers(named_model, [], ["serving_default"])
    model.signature = lambda name: type("Signature", (), {"inputs": {"indices": None}})
    with serving(OneVersion("m", model)) as port:
        found = ask(port, "labels", {"text": "a", "k": 5})
    assert found.status == 400 and "one of features" in found.json["error"]


def test_search(port):
    found = request(port, "GET", "/page/search?query=GEMUSE").json
    assert found == {"known": True, "labels": [{"name": "L4", "title": "Gemüse"}]}
    found = request(port, "GET", "/page/search?query=l").json
    assert [x["name"] for x in found["labels"]] == [f"L{i}" for i in range(10)]
    for query in ("", "?query=", "?query=%FF", f"?query={'a' * 9000}", "?other=1"):
        assert request(port, "GET", f"/page/search{query}").json["labels"] == []


def test_search_in_a_version_that_names_no_labels(golden_model):
    with serving(OneVersion("m", golden_model)) as port:
        found = request(port, "GET", "/page/search?query=a").json
        assert found == {"known": False, "labels": []}
        assert len(ask(port, "labels", {"text": "a", "k": 5}).json["labels"]) == 5


def test_a_correction_is_on_disk_once_it_is_confirmed(port, corrections):
    sent = CORRECTION | {"text": "Zwei\nZeilen é", "labels": ["L1", "b c", "L1"]}
    found = ask(port, "corrections", sent | {"id": "1", "version": 4, "model": "m"})
    assert (found.status, found.json) == (200, {"saved": True})
    assert ask(port, "corrections", sent | {"id": "1"}).json == {"saved": True}
    (line,) = lines(corrections)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", line.pop("time"))
    assert list(line) == ["text", "labels", "model", "version", "id"]
    assert (line["text"], line["labels"]) == ("Zwei\nZeilen é", ["L1", "b c"])


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"text": " \n"}, "a string .text. of valid Unicode, not blank"),
        ({"text": 5}, "a string .text."),
        ({"text": "\ud800"}, "valid Unicode"),
        ({"labels": []}, "at least one label"),
        ({"labels": "L1"}, "a list .labels."),
        ({"labels": ["L1", 5]}, "label names without white space around them"),
        ({"labels": [" L1"]}, "white space"),
        ({"labels": ["L\n1"]}, "label names"),
        ({"labels": ["\ud800"]}, "label names"),
        ({"labels": [""]}, "label names"),
        ({"id": {"a": 1}}, "a short string or an integer .id."),
        ({"model": "m" * 2000}, "a short string"),
        ({"version": True}, "a short string"),
    ],
)
def test_a_correction_that_cannot_be_one(port, corrections, wrong, message):
    found = ask(port, "corrections", CORRECTION | wrong)
    assert found.status == 400 and re.search(message, found.json["error"])
    assert not corrections.path.exists()


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "[" * 99_999, b"\xff", "{}"])
@pytest.mark.parametrize("path", ["corrections", "labels"])
def test_bodies_that_are_no_question(port, path, body):
    found = ask(port, path, body)
    assert (found.status, found.json.keys()) == (400, {"error"})


@settings(max_examples=40, deadline=None)
@given(
    st.fixed_dictionaries(
        {"text": st.text() | st.integers(), "labels": st.lists(st.text()) | st.text()}
    )
)
def test_lines_are_whole_whatever_is_sent(shared_port, body):
    port, corrections = shared_port
    status = ask(port, "corrections", body).status
    kept = corrections.path.read_bytes().split(b"\n") if status == 200 else [b""]
    if status == 200:
        found = json.loads(kept[-2])
        assert found["text"] == body["text"] and found["labels"]
        assert set(found["labels"]) == set(body["labels"])
    assert status in (200, 400) and kept[-1] == b""


@pytest.fixture(scope="module")
def shared_port(named_model, tmp_path_factory):
    from xmc_keras.serving.server.rest.page.corrections_file import CorrectionsFile

    corrections = CorrectionsFile(tmp_path_factory.mktemp("kept") / "c.jsonl")
    with serving(OneVersion("m", named_model), corrections=corrections) as port:
        yield port, corrections


@pytest.mark.parametrize("k", [0, 101, -1, 2.0, "5", None, True, 10**30])
def test_numbers_of_labels_out_of_range(port, k):
    found = ask(port, "labels", {"text": "a", "k": k})
    assert found.status == 400 and "between 1 and 100" in found.json["error"]


def test_bodies_that_are_too_large(port, corrections):
    for path in ("labels", "corrections"):
        found = ask(port, path, CORRECTION | {"k": 5, "text": "a" * LIMIT})
        assert found.status == 413 and str(LIMIT) in found.json["error"]
    assert not corrections.path.exists()


def test_a_server_that_keeps_none(named_model):
    with serving(OneVersion("m", named_model)) as port:
        found = ask(port, "corrections", CORRECTION)
    assert found.status == 404 and "--corrections FILE" in found.json["error"]


def test_a_file_that_cannot_be_written(port, corrections):
    corrections.path.mkdir()
    found = ask(port, "corrections", CORRECTION)
    assert found.status == 503 and "Received: a folder." in found.json["error"]
    corrections.path.rmdir()
    corrections.path.write_text('{"text": "cut')
    found = ask(port, "corrections", CORRECTION)
    assert found.status == 503 and f"{corrections.path}:1: " in found.json["error"]
    assert found.json["error"].endswith("or choose another with --corrections.")


def origin(port, name="127.0.0.1", scheme="http"):
    return f"{scheme}://{name}:{port}"


def test_other_sites_are_refused(port, corrections):
    here = {"Host": f"127.0.0.1:{port}"}
    evil = {"Host": f"evil.example:{port}"}
    refused = [
        here | {"Origin": "http://evil.example"},
        here | {"Origin": "null"},
        here | {"Origin": "http://["},
        here | {"Origin": origin(port + 1)},
        here | {"Origin": origin(port, "localhost")},
        # By DNS rebinding, the other site's name is this machine's.
        evil | {"Origin": origin(port, "evil.example")},
        here | {"Origin": origin(port), "Sec-Fetch-Site": "cross-site"},
        here | {"Origin": origin(port), "Sec-Fetch-Site": "same-site"},
        here | {"Sec-Fetch-Site": "none"},
    ]
    for headers in refused:
        for path in ("corrections", "labels"):
            found = ask(port, path, CORRECTION | {"k": 5}, **headers)
            assert found.status == 403, headers
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/x", ""):
        found = request(
            port, "POST", "/page/corrections", CORRECTION, {"content-type": kind}
        )
        assert found.status == 400 and "content type" in found.json["error"]
    # A browser asks first, and does not hear that it may.
    found = request(
        port, "OPTIONS", "/page/corrections", headers={"Origin": "http://a.example"}
    )
    assert "access-control-allow-origin" not in found.headers
    assert not corrections.path.exists()


def test_its_own_page_and_programs_are_not(port, corrections):
    allowed = [
        {},
        {"Origin": origin(port)},
        {"Host": f"LOCALHOST:{port}", "Origin": origin(port, "localhost")},
        {"Host": f"[::1]:{port}", "Origin": origin(port, "[::1]")},
        # Behind a proxy the browser knows better than the name.
        {"Origin": "https://tags.example", "Sec-Fetch-Site": "same-origin"},
        {"Content-Type": "Application/JSON; charset=utf-8"},
    ]
    for headers in allowed:
        assert ask(port, "corrections", CORRECTION, **headers).status == 200, headers
    assert len(lines(corrections)) == len(allowed)
