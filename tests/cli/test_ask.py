import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

from tests.helpers.project import PROJECT
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.client import Client
from xmc_keras.serving.server.grpc_service import build_grpc_server
from xmc_keras.serving.server.model_versions import ModelVersions

PREDICT = "/v1/models/m:predict"


def scored(texts, k=2):
    """What the server that follows answers: a label of each text, and one for all."""
    return {
        "labels": [[f"label of {text}", "news"][:k] for text in texts],
        "scores": [[0.75, 0.123456789][:k] for _ in texts],
    }


@pytest.fixture
def server():
    """An HTTP server that answers by `answer(path, body)` and keeps `asked`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            size = int(self.headers.get("content-length", 0))
            body = self.rfile.read(size)
            self.server.asked.append((self.path, body and json.loads(body)))
            status, answer = self.server.answer(*self.server.asked[-1])
            answer = (
                answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            )
            self.send_response(status)
            self.send_header("content-length", len(answer))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *args):
            pass

    def answer(path, body):
        if path == "/":
            return 200, b'<form action="v1/models/a%20model:predict">'
        k = max(body["inputs"].get("k", [2]))
        return 200, {"outputs": scored(body["inputs"]["text"], k)}

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answer = [], answer
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def golden(golden_version):
    """A gRPC server of the golden model: its `address` and `models`."""
    models = ModelVersions("m", golden_version.parent)
    server, port = build_grpc_server(models, "127.0.0.1:0", 2)
    models.start()
    server.start()
    yield types.SimpleNamespace(address=f"127.0.0.1:{port}", models=models)
    server.stop(None)
    models.stop()


def test_a_request_by_rest(server):
    client = Client(f"{server.url}/", "m")
    assert client.recommend(["a", "日本 \U0001f600\x00"]) == [
        [("label of a", 0.75), ("news", 0.123456789)],
        [("label of 日本 \U0001f600\x00", 0.75), ("news", 0.123456789)],
    ]
    assert client.recommend(["a"], k=1) == [[("label of a", 0.75)]]
    texts, default = ["a", "日本 \U0001f600\x00"], "serving_default"
    assert server.asked == [
        (PREDICT, {"signature_name": default, "inputs": {"text": texts}}),
        (PREDICT, {"signature_name": "top_k", "inputs": {"text": ["a"], "k": [1]}}),
    ]


def test_rows_that_are_filled_up(server):
    rows = {"labels": [["a", ""], ["", ""]], "scores": [[0.5, 0.0], [0.0, 0.0]]}
    server.answer = lambda path, body: (200, {"outputs": rows})
    assert Client(server.url, "m").recommend(["x", "y"]) == [[("a", 0.5)], []]


def test_where_a_request_goes(server):
    Client(f"{server.url}/behind/proxy", "a b/c", version=7).recommend(["a"])
    path = "/behind/proxy/v1/models/a%20b%2Fc/versions/7:predict"
    assert server.asked[0][0] == path


def test_predict_by_rest(server):
    server.answer = lambda path, body: (200, {"outputs": [[1.0, -1.0]]})
    found = Client(server.url, "m").predict(["a"], "score", labels=[["x", "y"]])
    assert found == [[1.0, -1.0]]
    inputs = {"text": ["a"], "labels": [["x", "y"]]}
    assert server.asked[0][1] == {"signature_name": "score", "inputs": inputs}


def test_any_sequence_of_texts_but_not_one_text(server):
    server.answer = lambda path, body: (200, {"outputs": [[1.0]]})
    client = Client(server.url, "m")
    client.predict(text for text in ("a", "b"))
    assert server.asked[0][1]["inputs"] == {"text": ["a", "b"]}
    for call in (client.predict, client.recommend):
        with pytest.raises(ValueError, match="'ab', one string. Put it in a list."):
            call("ab")
    assert len(server.asked) == 1


def test_no_texts_no_call():
    for address in ("http://127.0.0.1:9", "127.0.0.1:9"):
        client = Client(address, "m")
        assert client.recommend([]) == client.recommend([], k=3) == []
        assert client.predict([]) == {}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((404, {"error": "Servable not found"}), "HTTP 404, Servable not found"),
        ((500, b"<html>"), "HTTP 500, not the answer of a model"),
        ((200, b"[1]"), "HTTP 200, not the answer of a model"),
        ((200, b"\xff"), "HTTP 200, not the answer of a model"),
        ((200, {"outputs": [["a"]]}), "Received: another answer from"),
        ((200, {"outputs": {"labels": [["a"]]}}), "Received: another answer from"),
        ((200, {"outputs": scored(["a", "b"])}), "Received: another answer from"),
        ((200, {"outputs": {"labels": 1, "scores": 1}}), "another answer from"),
    ],
)
def test_answers_that_are_of_no_use(server, answer, message):
    server.answer = lambda path, body: answer
    with pytest.raises(BadInput, match=server.url) as caught:
        Client(server.url, "m").recommend(["a"])
    assert message in str(caught.value)


def test_servers_that_do_not_answer(server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BadInput, match="timed out. Is the server running there?"):
            Client(url, "m", timeout=0.1).recommend(["a"])
    with pytest.raises(BadInput, match="127.0.0.1:9. Received: Connection refused. Is"):
        Client("http://127.0.0.1:9", "m").recommend(["a"])
    for url in ("ftp://host", "http://", "http://host:port", "http://[::1"):
        with pytest.raises(BadInput, match="Expected a URL like http://127.0.0.1:8501"):
            Client(url, "m").recommend(["a"])


def test_a_request_by_grpc(golden):
    client = Client(golden.address, "m", version=1)
    texts = ["a", "日本 \U0001f600\x00"]
    with golden.models.use() as (_, model):
        array = np.array([text.encode() for text in texts], object)
        found = model.predict({"text": array})
    expected = [
        [(label.decode(), score) for label, score in zip(labels, scores)]
        for labels, scores in zip(found["labels"], found["scores"].tolist())
    ]
    assert client.recommend(texts) == expected
    assert client.recommend(texts, k=2) == [row[:2] for row in expected]
    labels = [[label for label, _ in row] for row in expected]
    assert client.predict(texts, "labels_only") == labels


def test_grpc_that_fails(golden):
    with pytest.raises(BadInput, match="Received: NOT_FOUND, Servable not found for"):
        Client(golden.address, "zz").recommend(["a"])
    with pytest.raises(BadInput, match="127.0.0.1:9. Received: UNAVAILABLE, "):
        Client("127.0.0.1:9", "m").recommend(["a"])


def test_the_program_prints_for_people(server, call):
    text = "  a\n" + 30 * "word "
    result = call("ask", "a", text, "--url", server.url, "--name", "m")
    assert (result.status, result.stderr) == (0, "")
    assert [path for path, _ in server.asked] == [PREDICT]
    first, second, end = result.stdout.split("\n\n")
    assert first == "a\n  0.7500  label of a\n  0.1235  news"
    line = second.split("\n")[0]
    assert line.startswith("a word word ") and line.endswith("...") and len(line) == 80
    assert end == ""


def test_the_program_reads_lines_and_prints_json(server, call):
    lines = "a\ncafé 日本\r\n\n".encode()
    url = server.url.removeprefix("http://")
    result = call("ask", "--json", "-k", 1, "--url", url, stdin=lines)
    assert (result.status, result.stderr) == (0, "")
    texts = ["a", "café 日本", ""]
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"text": text, "labels": [f"label of {text}"], "scores": [0.75]}
        for text in texts
    ]
    # The name is the one on the server's page.
    name, asked = server.asked
    assert name[0] == "/" and asked[0] == "/v1/models/a%20model:predict"


def test_the_program_asks_for_labels_above_a_threshold(server, call):
    asked = []
    at = "--json", "--url", server.url, "--name", "m"

    def answer(path, body):
        asked.append(body)
        rows = [[f"label of {text}", ""] for text in body["inputs"]["text"]]
        scores = [[0.75, 0.0] for _ in rows]
        return 200, {"outputs": {"labels": rows, "scores": scores, "count": [1] * 2}}

    server.answer = answer
    for given, sent in (("own", -1.0), (0.25, 0.25)):
        result = call("ask", "a", "b", "--threshold", given, *at)
        assert (result.status, result.stderr) == (0, "")
        labels = [json.loads(line)["labels"] for line in result.stdout.splitlines()]
        assert labels == [["label of a"], ["label of b"]]
        inputs = {"text": ["a", "b"], "threshold": [sent, sent]}
        assert asked.pop() == {"signature_name": "select", "inputs": inputs}


def test_the_program_asks_in_parts(server, call, monkeypatch):
    monkeypatch.setattr("xmc_keras.cli.ask.CHUNK", 3)
    texts = [f"text {i}" for i in range(8)]
    stdin = "\n".join(texts).encode()
    result = call("ask", "--json", "--url", server.url, "--name=m", stdin=stdin)
    assert [len(body["inputs"]["text"]) for _, body in server.asked] == [3, 3, 2]
    assert [json.loads(line)["text"] for line in result.stdout.splitlines()] == texts


def test_the_program_by_grpc(golden, call):
    arguments = ["--grpc", "--url", f"http://{golden.address}", "--name", "m"]
    result = call("ask", "a", "--json", "-k", 3, "--version", 1, *arguments)
    (row,) = Client(golden.address, "m").recommend(["a"], k=3)
    answer = json.loads(result.stdout)
    assert answer["labels"] == [label for label, _ in row]
    assert answer["scores"] == [round(score, 6) for _, score in row]


def test_nothing_to_ask(server, call):
    result = call("ask", "--url", server.url, stdin=b"")
    assert (result.status, result.stdout, result.stderr) == (0, "", "")
    assert not server.asked


def test_bad_input(server, call):
    def refused(*arguments, stdin=b"text"):
        result = call("ask", *arguments, stdin=stdin)
        assert (result.status, result.stdout) == (2, "")
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
        return result.stderr

    at = ["--url", server.url]
    assert "-k of at least 1. Received: 0." in refused("-k", 0, *at)
    assert "Expected --name with --grpc." in refused("--grpc", *at)
    assert "-k or --threshold. Received: both." in refused(
        *("-k", 1, "--threshold", 0.5), *at
    )
    for wrong in ("nan", "-1", "f1"):
        error = refused(f"--threshold={wrong}", *at)
        assert f"--threshold from 0 to 1, or own. Received: {wrong}." in error
    error = refused("--name=m", *at, stdin=b"good\ncaf\xe9\n")
    assert "standard input:2: Expected UTF-8. Received: byte 0xe9 at offset 3." in error
    assert "argument:1: Expected UTF-8." in refused("\udce9", *at)
    assert not server.asked
    assert "Connection refused" in refused("--url", "127.0.0.1:9")
    server.answer = lambda path, body: (404, b"<HTML>TensorFlow Serving has no page")
    assert "Received: no name. Give it with --name." in refused(*at)
    server.answer = lambda path, body: (400, {"error": "No such k"})
    assert "HTTP 400, No such k" in refused(*at, "--name=m")


def test_rest_starts_without_tensorflow(server):
    script = (
        "import sys; from xmc_keras.cli import ask\n"
        "ask.main(['a', '--url', sys.argv[1]])\n"
        "print(sorted({'tensorflow', 'keras', 'numpy', 'grpc'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, server.url],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.endswith("\n[]\n")
