"""The REST interface over real HTTP, against recorded TensorFlow Serving responses."""

import base64
import contextlib
import gzip
import html
import http.client
import json
import logging
import re
import socket
import threading
import types

import numpy as np
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.helpers.project import PROJECT
from xmc_keras.serving.server.rest import page_response
from xmc_keras.serving.server.rest.request_body import BodyTooLarge, inflate
from xmc_keras.serving.server.rest.rest_app import build_app
from xmc_keras.serving.server.serving_error import ServingError

GOLDEN = PROJECT / "tests/helpers/golden.jsonl"
LIMIT = 4 * 2**20
PREDICT = "/v1/models/m:predict"

# Differences from the recorded responses; rest_app.py lists them.
DIFFERENCES = {("GET", "/"): "the page"}


class OneVersion:
    """`ModelVersions` with one version that never changes."""

    def __init__(self, name, model, version=1):
        self.name, self.model, self.version = name, model, version

    @contextlib.contextmanager
    def use(self, version=None):
        if version not in (None, self.version):
            message = (
                f"Servable not found for request: Specific({self.name}, {version})"
            )
            raise ServingError("NOT_FOUND", message)
        yield self.version, self.model

    def states(self):
        state = {"state": "AVAILABLE", "error_code": "OK", "error_message": ""}
        return [types.SimpleNamespace(version=self.version, **state)]


@contextlib.contextmanager
def serving(models, max_body_bytes=LIMIT, threads=2):
    """Runs a server on a free local port; yields the port."""
    config = uvicorn.Config(
        build_app(models, max_body_bytes, threads), log_config=None, ws="none"
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def model(golden_model):
    return golden_model


@pytest.fixture(scope="module")
def port(model):
    with serving(OneVersion("m", model)) as port:
        yield port


def request(port, method, path, body=None, headers={}):
    """Sends a request; returns `status`, `type`, `body`, and `json` if it is JSON."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    body = body.encode() if isinstance(body, str) else body
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        found = types.SimpleNamespace(status=response.status, body=response.read())
    finally:
        connection.close()
    found.headers = response.headers
    found.type = response.headers["content-type"]
    if found.type == "application/json" and found.body:
        found.json = json.loads(found.body)
    return found


def post(port, body, **headers):
    return request(port, "POST", PREDICT, body, headers)


def in_process(model, texts):
    """Rows predicted by the model itself."""
    raw = [text if isinstance(text, bytes) else text.encode() for text in texts]
    found = model.predict({"text": np.array(raw, object)})
    return [
        {"labels": [x.decode() for x in labels], "scores": scores}
        for labels, scores in zip(found["labels"], found["scores"])
    ]


def same(rows, expected):
    assert [row["labels"] for row in rows] == [row["labels"] for row in expected]
    found = np.array([row["scores"] for row in rows], np.float32)
    np.testing.assert_array_equal(found, [row["scores"] for row in expected])


# === Recorded responses ===


def shape(value):
    """Keys, nesting, lengths and types of a JSON value."""
    if isinstance(value, dict):
        return {key: shape(x) for key, x in value.items()}
    if isinstance(value, list):
        return [shape(x) for x in value]
    return type(value).__name__


def recorded():
    for line in GOLDEN.read_text("utf-8").splitlines():
        answer = json.loads(line)
        if (answer["method"], answer["path"]) not in DIFFERENCES:
            name = " ".join([answer["method"], answer["path"], answer["body"] or ""])
            yield pytest.param(answer, id=name)


@pytest.mark.parametrize("golden", list(recorded()))
def test_answers_as_tensorflow_serving_does(port, golden):
    found = request(port, golden["method"], golden["path"], golden["body"])
    assert found.status == golden["status"]
    assert found.type == golden["content_type"]
    if golden["json"] is None:
        assert found.body.decode() == golden["text"]
        return
    expected = golden["json"]
    if "metadata" in expected:
        # Used for loading and cannot be called: left out intentionally.
        del expected["metadata"]["signature_def"]["signature_def"][
            "__saved_model_init_op"
        ]
    assert shape(found.json) == shape(expected)


def test_metadata_says_types_and_shapes(port):
    found = request(port, "GET", "/v1/models/m/versions/1/metadata").json
    assert found["model_spec"] == {"name": "m", "version": "1", "signature_name": ""}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    top_k = signatures["top_k"]
    assert top_k["inputs"]["k"]["dtype"] == "DT_INT32"
    assert top_k["inputs"]["k"]["tensor_shape"] == {"dim": [], "unknown_rank": True}
    dims = signatures["serve"]["outputs"]["scores"]["tensor_shape"]["dim"]
    assert [dim["size"] for dim in dims] == ["-1", "5"]


@pytest.mark.parametrize(
    "method, path, status, error",
    [
        ("POST", "/v1/models/m/labels/x:predict", 400, "version label: x"),
        ("GET", "/v1/models/m/labels/x/metadata", 400, "version label: x"),
        ("POST", f"/v1/models/m/versions/{2**63}:predict", 400, "to numeric"),
        ("GET", f"/v1/models/m/versions/{'9' * 5000}", 400, "to numeric"),
        ("GET", "/v1/models/zz/versions/9", 404, "find version 9 of model zz"),
        ("POST", "/v1/models/zz/versions/9:predict", 404, "Specific(zz, 9)"),
        ("POST", "/v1/models/zz:classify", 404, "Latest(zz)"),
        ("POST", "/v1/models/m:predict?x=1", 400, "Malformed request"),
        ("POST", "/V1/Models/m:explain", 400, "Malformed request"),
        ("GET", "/v1/models/m/", 400, "Malformed request"),
        ("GET", "/v1/models/%F0%9F%98%80", 404, "any versions of model 😀"),
        ("GET", "/v1/models/a%00%FFb", 404, "any versions of model a\0\ufffdb"),
        ("PATCH", "/v1/models/m", 400, "Malformed request: PATCH /v1/models/m"),
    ],
)
def test_more_paths(port, method, path, status, error):
    found = request(port, method, path, {"instances": ["a"]})
    assert (found.status, found.type) == (status, "application/json")
    assert error in found.json["error"]


def test_paths_elsewhere(port):
    for method, path in [("POST", "/"), ("GET", "/v1"), ("PUT", "/favicon.ico")]:
        found = request(port, method, path)
        assert (found.status, found.type) == (404, "text/html")
        assert b"<H1>Not Found</H1>" in found.body


def test_options_of_a_browser(port):
    found = request(port, "OPTIONS", PREDICT, headers={"Origin": "http://a.example"})
    assert (found.status, found.body) == (200, b"")
    assert "access-control-allow-origin" not in found.headers


def test_names_are_case_sensitive_and_may_be_escaped(model):
    with serving(OneVersion("a b/é", model)) as port:
        path = "/V1/MODELS/a%20b%2F%C3%A9"
        assert request(port, "GET", path).status == 200
        assert request(port, "POST", f"{path}:predict", {"inputs": ["a"]}).json
        assert request(port, "GET", path.replace("a%20b", "A%20b")).status == 404


# === Texts of every kind ===

TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "naïve café",
    "e\u0301 and é",
    "日本語の文章",
    "שלום עולם",
    "مرحبا",
    "👩‍👩‍👧‍👦 😀",
    "\ufeff\u200b\u202e\u2028",
    "\U0010ffff\uffff",
    '\\u0000 "quoted" </script>',
    "\x01\x1f\x7f\x85",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
]


def test_texts_of_every_kind(port, model):
    expected = in_process(model, TEXTS)
    assert len({tuple(row["labels"]) for row in expected}) > 5  # labels differ
    for ascii_only in (True, False):
        body = json.dumps({"instances": TEXTS}, ensure_ascii=ascii_only)
        same(post(port, body).json["predictions"], expected)
    found = post(port, {"inputs": {"text": TEXTS}}).json["outputs"]
    same([dict(zip(found, row)) for row in zip(*found.values())], expected)


def test_bytes_that_are_no_text(port, model):
    raw = [b"\xff\xfe", b"\x80", b"\xc3", b"\xed\xa0\x80", bytes(range(256))]
    body = {"instances": [{"b64": base64.b64encode(x).decode()} for x in raw]}
    same(post(port, body).json["predictions"], in_process(model, raw))
    found = post(port, b'{"instances": ["\xff"]}')
    assert (found.status, list(found.json)) == (400, ["error"])


def test_half_of_a_surrogate_pair(port):
    for body in [
        r'{"instances": ["\ud83d"]}',
        r'{"signature_name": "\udc00", "instances": ["a"]}',
        r'{"instances": [{"\ud800": "a"}]}',
    ]:
        found = post(port, body)
        assert (found.status, list(found.json)) == (400, ["error"])


def test_a_text_of_a_megabyte(port, model):
    text = "é" * 2**19
    body = json.dumps({"instances": [text]}, ensure_ascii=False)
    same(post(port, body).json["predictions"], in_process(model, [text]))


def test_ten_thousand_texts(port, model):
    texts = [f"text {i}" for i in range(10_000)]
    found = post(port, {"instances": texts})
    same(found.json["predictions"], in_process(model, texts))


def test_labels_per_request(port):
    body = {"signature_name": "top_k", "inputs": {"text": ["a"], "k": 100}}
    assert np.shape(post(port, body).json["outputs"]["labels"]) == (1, 10)
    body = {"signature_name": "labels_only", "instances": ["a", "b"]}
    assert np.shape(post(port, body).json["predictions"]) == (2, 5)
    for k in (-1, [], 2**40, "2", 1.5, None):
        body = {"signature_name": "top_k", "inputs": {"text": ["a"], "k": k}}
        assert post(port, body).status == 400


# === Sizes ===


def padded(size):
    """A valid body of exactly `size` bytes."""
    body = b'{"instances": ["a"]}'
    return body + b" " * (size - len(body))


def test_body_limit(port):
    assert post(port, padded(LIMIT)).status == 200
    # Sent whole, and rejected immediately by its Content-Length.
    for size in (LIMIT + 1, 2 * LIMIT):
        found = post(port, padded(size))
        assert found.status == 413
        assert f"at most {LIMIT} bytes" in found.json["error"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("POST", PREDICT)
    connection.putheader("Content-Length", str(10**15))
    connection.endheaders(b"{")
    assert connection.getresponse().status == 413
    connection.close()


def test_body_limit_without_content_length(port):
    def chunks(size):
        whole = padded(size)
        return (whole[i : i + 2**16] for i in range(0, size, 2**16))

    def send(size):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", PREDICT, chunks(size), encode_chunked=True)
        status = connection.getresponse().status
        connection.close()
        return status

    assert send(LIMIT) == 200
    assert send(LIMIT + 1) == 413
    assert post(port, {"instances": ["a"]}).status == 200


def test_gzip(port, model):
    body = gzip.compress(json.dumps({"instances": TEXTS}).encode())
    found = post(port, body, **{"Content-Encoding": "gzip"})
    same(found.json["predictions"], in_process(model, TEXTS))
    assert post(port, body).status == 400  # not declared as gzip


def test_gzip_that_is_damaged_or_a_bomb(port):
    packed = gzip.compress(padded(LIMIT + 1))
    assert len(packed) < LIMIT / 500
    for body, status in [(packed, 413), (packed[:-1], 413), (b"{}", 400), (b"", 400)]:
        found = post(port, body, **{"Content-Encoding": "gzip"})
        assert (found.status, list(found.json)) == (status, ["error"])


def test_inflating_stops_at_the_limit():
    packed = gzip.compress(b"a" * 1000)
    assert inflate(packed, 1000) == b"a" * 1000
    with pytest.raises(BodyTooLarge, match="at most 999 bytes"):
        inflate(packed, 999)


# Without a time stamp: names of tests must not differ between processes.
PACKED = gzip.compress(b"{}", mtime=0)


@pytest.mark.parametrize("body", [b"", b"{}", PACKED[:-1], PACKED + b"x"])
def test_damaged_gzip(body):
    with pytest.raises(ServingError, match="Expected a gzip body"):
        inflate(body, 100)


# === Any input ===

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["text", "k", "b64", "é"]), inner)
    ),
    max_leaves=8,
)
SIGNATURES = ["serving_default", "serve", "top_k", "labels_only", "", "none"]
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "instances": ANY_JSON | st.lists(st.text()),
        "inputs": ANY_JSON | st.fixed_dictionaries({"text": ANY_JSON, "k": ANY_JSON}),
        "signature_name": st.sampled_from(SIGNATURES) | ANY_JSON,
    },
)


@settings(max_examples=60, deadline=None)
@given(ANY_JSON | DOCUMENTS)
def test_any_json_is_answered(port, body):
    found = post(port, json.dumps(body))
    assert found.status in (200, 400)
    assert found.json.keys() <= {"predictions", "outputs", "error"}


@settings(max_examples=30, deadline=None)
@given(st.binary(), st.sampled_from(["", "gzip", "x"]))
def test_any_bytes_are_answered(port, body, encoding):
    found = post(port, body, **{"Content-Encoding": encoding})
    assert found.status in (200, 400)


def test_a_failure_is_logged_and_hidden_from_the_client(caplog):
    class Failing:
        signatures = {
            "serving_default": types.SimpleNamespace(
                inputs={"text": types.SimpleNamespace(dtype=7)}
            )
        }

        def predict(self, inputs, name):
            raise KeyError("a secret")

    models = OneVersion("m", Failing())
    with serving(models) as port, caplog.at_level(logging.ERROR):
        found = post(port, {"instances": ["a"]})
        assert (found.status, found.type) == (500, "application/json")
        assert b"secret" not in found.body
        assert "a secret" in caplog.text
        models.states = None  # cannot be called
        found = request(port, "GET", "/monitoring/prometheus/metrics")
        assert (found.status, found.type) == (500, "application/json")
        assert "Traceback" not in found.body.decode()


def test_the_server_answers_while_a_model_is_at_work():
    begun, go_on = threading.Event(), threading.Event()

    class Slow:
        signatures = {
            "serving_default": types.SimpleNamespace(
                inputs={"text": types.SimpleNamespace(dtype=7)}
            )
        }

        def predict(self, inputs, name):
            begun.set()
            assert go_on.wait(20)
            return {"scores": np.ones((1, 2), np.float32)}

    found = []
    with serving(OneVersion("m", Slow()), threads=1) as port:
        client = threading.Thread(
            target=lambda: found.append(post(port, {"instances": ["a"]}).json)
        )
        client.start()
        assert begun.wait(20)
        assert request(port, "GET", "/v1/models/m").status == 200
        go_on.set()
        client.join()
    assert found == [{"predictions": [[1.0, 1.0]]}]


def test_a_client_that_leaves_in_the_middle(port, caplog):
    with caplog.at_level(logging.WARNING):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
            connection.sendall(head.encode() + b'{"inst')
        assert post(port, {"instances": ["a"]}).status == 200
    assert not caplog.records


# === Metrics and page ===


def test_metrics(model):
    with serving(OneVersion('m"\\', model, version=7)) as port:
        path = "/v1/models/m%22%5C"
        request(port, "POST", f"{path}:predict", {"instances": ["a"]})
        request(port, "POST", f"{path}:predict", {"instances": ["b"]})
        request(port, "POST", f"{path}:predict", {"instances": []})
        request(port, "POST", f"{path}/versions/9:predict", {"instances": ["a"]})
        request(port, "POST", "/v1/models/made_up:predict", {"instances": ["a"]})
        found = request(port, "GET", "/monitoring/prometheus/metrics")
    assert (found.status, found.type.split(";")[0]) == (200, "text/plain")
    text = found.body.decode()
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert "made_up" not in text
    name = ("model_name", 'm"\\')
    count = ":tensorflow:serving:request_count"
    assert f"# TYPE {count} counter\n{count}{{" in text
    for status, number in [("OK", 2), ("INVALID_ARGUMENT", 1), ("NOT_FOUND", 1)]:
        # The parser gives every counter the suffix of OpenMetrics.
        assert samples[(f"{count}_total", name, ("status", status))] == number
    rest = (("API", "Predict"), ("entrypoint", "REST"))
    latency = ":tensorflow:serving:request_latency"
    assert samples[(f"{latency}_count", *rest, name)] == 4
    # All of them took between 10 microseconds and 20 seconds.
    assert 40 < samples[(f"{latency}_sum", *rest, name)] < 20e6
    state = (("state", "AVAILABLE"), ("version", "7"))
    assert samples[("xmc_serving_version_state", name, *state)] == 1


def test_page_asks_the_model_that_it_names(model):
    name = "<b>\"&'{{url}} é"
    with serving(OneVersion(name, model)) as port:
        found = request(port, "GET", "/")
        page = found.body.decode()
        assert (found.status, found.type) == (200, "text/html; charset=utf-8")
        assert f"<h1>{html.escape(name)}</h1>" in page
        (url,) = re.findall('action="(.+?)"', page)
        found = request(port, "POST", f"/{url}", {"instances": ["a"]})
        assert found.json.keys() == {"predictions"}
        assert request(port, "HEAD", "/").body == b""


def test_page_is_whole_and_alone(port):
    found = request(port, "GET", "/")
    page = found.body.decode()
    for name in ("text", "submit", "labels", "error"):
        assert page.count(f'id="{name}"') == 1
    assert 'id="error" role="alert"' in page
    assert not re.search(r"https?://|innerHTML|\{\{", page)
    policy = found.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    # The policy allows exactly what the page holds, whatever the name is.
    for tag in ("script", "style"):
        assert f"{tag}-src '{page_response.digest(page, tag)}'" in policy
