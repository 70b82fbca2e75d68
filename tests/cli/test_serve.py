"""The server as a user starts it: a separate process, over real sockets."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
import types

import pytest
import tensorflow as tf

from tests.helpers.server_process import Server
from xmc_keras.serving import serve
from xmc_keras.serving.client import Client
from xmc_keras.serving.grpc_predict import predict_over_grpc

TEXTS = ["a", "", "Ünïcödé 日本", "nul \x00 byte"]


@pytest.fixture
def start(tmp_path):
    """Starts servers, which are gone when the test ends."""
    started = []

    def start(folder, *arguments, **kwargs):
        log = tmp_path / f"server-{len(started)}.log"
        started.append(Server(folder, log, *arguments, **kwargs))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def folder(golden_version, tmp_path):
    """The folder of a model `m` with the golden model as version 1."""
    shutil.copytree(golden_version, tmp_path / "m" / "1")
    return tmp_path / "m"


def add_version(folder, golden, version, corrupt=False):
    new = shutil.copytree(golden, folder / f".tmp-{version}")
    if corrupt:
        path = new / "saved_model.pb"
        path.write_bytes(path.read_bytes()[:1000])
    new.rename(folder / str(version))


class Slow(tf.Module):
    """Takes as many seconds as the request says."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "text"),
            tf.TensorSpec([], tf.float32, "seconds"),
        ]
    )
    def wait(self, text, seconds):
        begin = tf.timestamp()
        until = begin + tf.cast(seconds, tf.float64)
        end = tf.while_loop(lambda now: now < until, lambda _: tf.timestamp(), [begin])
        return {"text": text, "waited": end[0] - begin}


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow") / "slow"
    model = Slow()
    tf.saved_model.save(model, str(folder / "1"), {"serving_default": model.wait})
    return folder


class Call(threading.Thread):
    """Calls a function in a thread; `found` is what it returns, or raises."""

    def __init__(self, function, *args, **kwargs):
        super().__init__(daemon=True)
        self.function, self.args, self.kwargs = function, args, kwargs
        self.found = None
        self.start()

    def run(self):
        try:
            self.found = self.function(*self.args, **self.kwargs)
        except Exception as error:
            self.found = error


def test_the_program(folder, golden_version, start, call):
    server = start(folder).ready()
    said = server.said()
    assert f"REST: POST {server.url}/v1/models/m:predict\n" in said
    assert f"Annif: {server.url}/v1/projects/m/suggest\n" in said
    assert "For development and small scale" in said
    # REST and gRPC, and both client programs, say the same.
    rest, rpc = Client(server.url, "m"), Client(server.address, "m", version=1)
    expected = rpc.recommend(TEXTS)
    assert [[label for label, _ in row] for row in rest.recommend(TEXTS)] == [
        [label for label, _ in row] for row in expected
    ]
    for row, same in zip(rest.recommend(TEXTS), expected):
        assert [x for _, x in row] == pytest.approx([x for _, x in same], abs=1e-7)
    assert rest.recommend(TEXTS, k=2) == [row[:2] for row in rest.recommend(TEXTS)]
    by_rest = call("ask", *TEXTS, "--json", "--url", server.url)
    by_grpc = call(
        *["ask", *TEXTS, "--json", "--grpc", "--url", server.address, "--name=m"]
    )
    assert by_rest.status == 0 and by_rest.stdout == by_grpc.stdout
    # Status, metadata, page and metrics.
    assert server.states() == {1: ("AVAILABLE", "OK")}
    status, body = server.get("/v1/models/m/versions/1/metadata")
    assert status == 200 and b'"labels_only"' in body
    assert server.get("/")[0] == 200
    status, body = server.get("/monitoring/prometheus/metrics")
    assert status == 200 and b":tensorflow:serving:request_count" in body
    # Versions.
    load(server, folder, golden_version, seconds=6, every=1, clients=4, corrupt=3)
    # An idle connection does not hold it up; nor does Ctrl-C twice.
    with server.connect() as idle:
        idle.request("GET", "/v1/models/m")
        idle.getresponse().read()
        server.process.send_signal(signal.SIGINT)
        assert server.stop(signal.SIGINT) < (0, 5)
    assert server.said().endswith("Stopped\n") and "Traceback" not in server.said()


@pytest.mark.large
def test_versions_under_full_load(folder, golden_version, start):
    server = start(folder, "--poll-seconds", "1").ready()
    load(server, folder, golden_version, seconds=60, every=10, clients=32, corrupt=3)
    status, seconds = server.stop()
    assert status == 0 and seconds < 5


def load(server, folder, golden, seconds, every, clients, corrupt):
    """Asks without a pause, every fourth client by gRPC, while versions come in."""
    body = json.dumps({"instances": TEXTS})
    expected = [
        [label for label, _ in row] for row in Client(server.url, "m").recommend(TEXTS)
    ]
    done, wrong, answered, seen = threading.Event(), [], [], set()

    def by_rest():
        with server.connect() as connection:
            while not done.is_set():
                connection.request("POST", "/v1/models/m:predict", body)
                response = connection.getresponse()
                found = json.loads(response.read())
                labels = [row["labels"] for row in found.get("predictions", [])]
                if (response.status, labels) != (200, expected):
                    wrong.append((response.status, found))
                answered.append("REST")

    def by_grpc():
        while not done.is_set():
            found = predict_over_grpc(
                server.address, "m", None, {"text": TEXTS}, "", 30
            )
            if [*found["labels"]] != expected:
                wrong.append(found)
            answered.append("gRPC")

    calls = [Call(by_grpc if i % 4 == 3 else by_rest) for i in range(clients)]
    begin = time.monotonic()
    version = 1
    while (left := begin + seconds - time.monotonic()) > 0:
        time.sleep(min(every, left))
        if version * every < seconds:
            version += 1
            add_version(folder, golden, version, version == corrupt)
        seen.update(
            v for v, state in server.states().items() if state[0] == "AVAILABLE"
        )
    newest = version - (version == corrupt)
    server.wait_for(f"Serving version {newest} of m")
    done.set()
    for each in calls:
        each.join(30)
    print(f"{len(answered)} answers in {time.monotonic() - begin:.1f} s, {seen=}")
    assert not wrong
    assert [each.found for each in calls] == [None] * clients
    assert min(answered.count("REST"), answered.count("gRPC")) > 5 * seconds
    states = server.states()
    assert states.pop(corrupt) == ("END", "DATA_LOSS")
    assert states.pop(newest) == ("AVAILABLE", "OK")
    assert len(seen) > 2 and corrupt not in seen
    assert server.said().count(f"Version {corrupt} of m does not load: DATA_LOSS,") == 1


def correct(server, number):
    """Sends a correction as the page does; returns the status."""
    with server.connect() as connection:
        body = json.dumps({"text": f"text {number}", "labels": ["L1"], "id": number})
        headers = {"Content-Type": "application/json", "Origin": server.url}
        connection.request("POST", "/page/corrections", body, headers)
        response = connection.getresponse()
        response.read()
        return response.status


@pytest.mark.large
def test_corrections_outlive_a_killed_server(folder, golden_version, start, tmp_path):
    path = tmp_path / "kept" / "corrections.jsonl"
    confirmed = []
    for life in range(2):
        # Two servers may keep them in one file.
        servers = [start(folder, "--no-grpc", "--corrections", path) for _ in range(2)]
        for server in servers:
            assert f"Corrections of the page: {path}\n" in server.ready().said()
        calls = [Call(send_until_it_dies, servers[i % 2], life, i) for i in range(4)]
        add_version(folder, golden_version, life + 2)
        for server in servers:
            server.wait_for(f"Serving version {life + 2}")
        time.sleep(2)
        for server in servers:
            server.stop(signal.SIGKILL)
        for each in calls:
            each.join(30)
            assert each.found
            confirmed += each.found
    found = [json.loads(line)["id"] for line in path.read_bytes().splitlines()]
    assert sorted(set(found)) == sorted(found)
    # What was on its way may be there without having been confirmed.
    assert set(confirmed) <= set(found) and len(found) <= len(confirmed) + 8


def send_until_it_dies(server, life, client):
    confirmed = []
    with contextlib.suppress(OSError, http.client.HTTPException):
        while True:
            number = f"{life}-{client}-{len(confirmed)}"
            assert correct(server, number) == 200
            confirmed.append(number)
    return confirmed


def test_what_has_begun_is_finished(slow, start):
    server = start(slow).ready()
    seconds = {"seconds": 2.0}
    calls = [
        Call(Client(address, "slow").predict, ["a"], **seconds)
        for address in (server.url, server.address)
    ]
    # A request whose body is still on its way has begun, too.
    with server.connect() as half, server.connect() as idle:
        idle.connect()
        body = json.dumps({"inputs": {"text": ["b"], "seconds": 0.1}}).encode()
        half.putrequest("POST", "/v1/models/slow:predict")
        half.putheader("content-length", str(len(body)))
        half.endheaders(body[:5])
        time.sleep(0.7)
        stopped = Call(server.stop)
        server.wait_for("Stopping")
        time.sleep(0.3)
        half.send(body[5:])
        response = half.getresponse()
        assert response.status == 200
        assert json.loads(response.read())["outputs"]["text"] == ["b"]
        with pytest.raises(ConnectionRefusedError), server.connect() as late:
            late.connect()
        for each in calls:
            each.join(30)
            assert each.found["text"] == ["a"] and each.found["waited"] >= 2
    stopped.join(30)
    assert stopped.found < (0, 10)
    assert server.said().endswith("Stopped\n") and "Traceback" not in server.said()


def test_what_takes_too_long_is_cut_off(slow, start):
    script = (
        "import sys; from xmc_keras.cli import program\n"
        "from xmc_keras.serving import serve\n"
        "serve.GRACE = 1.0; program.main(['serve', *sys.argv[1:]])"
    )
    server = start(slow, "--no-grpc", program=("-c", script)).ready()
    assert "gRPC" not in server.said()
    request = Call(Client(server.url, "slow").predict, ["a"], seconds=60.0)
    time.sleep(0.7)
    status, seconds = server.stop()
    assert status == 0 and seconds < 5
    assert "what took longer than 1 s was cut off" in server.said()
    request.join(10)
    assert "Is the server running there?" in str(request.found)


def test_a_signal_while_the_model_is_being_loaded(tmp_path, start):
    (tmp_path / "m" / "1").mkdir(parents=True)
    os.mkfifo(tmp_path / "m" / "1" / "saved_model.pb")  # opening it waits for ever
    server = start(tmp_path / "m")
    server.wait_for("Loading version 1 of m")
    status, seconds = server.stop()
    assert status == 0 and seconds < 5
    assert "Traceback" not in server.said()


@pytest.mark.large
def test_a_server_that_fails(folder, call, monkeypatch, caplog):
    class Models:
        start = stop = lambda *_: True

    class Broken:
        def run(self, sockets):
            raise RuntimeError("broken")

    uvicorn = types.SimpleNamespace(
        Config=lambda *_, **__: 0, Server=lambda _: Broken()
    )
    parts = uvicorn, lambda *_: None, None, lambda *_: Models()
    monkeypatch.setattr(serve, "import_libraries", lambda: parts)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(os, "_exit", sys.exit)
    monkeypatch.setattr("logging.shutdown", lambda: None)
    result = call("serve", folder, "--no-grpc", "--rest-port", 0)
    assert result.status == 1 and "RuntimeError: broken" in caplog.text


@pytest.fixture
def refused(call, monkeypatch):
    """Calls the program with bad input; returns its one sentence."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def refused(*arguments):
        result = call("serve", *arguments)
        assert (result.status, result.stdout) == (2, "")
        errors = [x for x in result.stderr.splitlines() if x.startswith("error: ")]
        assert len(errors) == 1 and "Traceback" not in result.stderr
        return errors[0]

    return refused


def test_bad_options(folder, refused, monkeypatch):
    for option, value in (
        ("--rest-port", 65536),
        ("--grpc-port", -1),
        ("--threads", 0),
        ("--max-body-mb", 0),
        ("--max-body-mb", 3000),
        ("--poll-seconds", "nan"),
    ):
        error = refused(folder, option, value)
        assert error.startswith(f"error: Expected {option} between ")
        assert error.endswith(f"Received: {float(value)}.") or error.endswith(
            f"Received: {value}."
        )
    for name in ("a/b", "a:b"):
        assert f"Received: {name!r}." in refused(folder, "--name", name)
    assert "without / and :. Received: ''." in refused("/")
    for prefix in ("example.org/", "http://x/ y", "http:"):
        error = refused(folder, "--uri-prefix", prefix)
        assert "Expected the beginning of a URI, such as http://example.org/." in error
        assert error.endswith(f"{prefix!r}. Choose another with --uri-prefix.")
    assert "Choose another with --rest-port" in refused(folder, "--host", "no host")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    error = refused(folder, "--rest-port", 0, "--grpc-port", 0)
    assert "Received: no uvicorn. Run: pip install 'xmc-keras[serve]'" in error


def test_files_that_cannot_keep_corrections(folder, refused, monkeypatch, tmp_path):
    # Before anything is imported or loaded.
    monkeypatch.setattr(serve, "import_libraries", lambda: 1 / 0)
    texts, cut = tmp_path / "texts.txt", tmp_path / "cut.jsonl"
    texts.write_text("A text\nof two lines\n")
    cut.write_text('{"text": "a", "labels": ["b"]}\n{"text": "c", "lab')
    for path, place, received in [
        (folder, folder, "a folder"),
        (texts, f"{texts}:2", "'of two lines'"),
        (cut, f"{cut}:2", """'{"text": "c", "lab'"""),
        (texts / "c.jsonl", texts / "c.jsonl", "Not a directory"),
    ]:
        error = refused(folder, "--corrections", path)
        assert error.startswith(f"error: {place}: Expected ")
        assert f"Received: {received}." in error
        assert error.endswith("choose another with --corrections.") or error.endswith(
            "Choose another with --corrections."
        )
    assert cut.read_text().endswith('"lab')


def test_a_port_in_use(folder, refused, monkeypatch):
    # Before anything is imported or loaded.
    monkeypatch.setattr(serve, "import_libraries", lambda: 1 / 0)
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        error = refused(folder, "--rest-port", port, "--grpc-port", 0)
        assert (
            f"127.0.0.1:{port}, Address already in use. Choose another with --re"
            in error
        )
        error = refused(folder, "--rest-port", 0, "--grpc-port", port)
        assert (
            f"127.0.0.1:{port}, Address already in use. Choose another with --gr"
            in error
        )


def test_nothing_to_serve(folder, golden_version, tmp_path, refused):
    ports = ["--rest-port", 0, "--grpc-port", 0]
    assert "Received: No such file or directory." in refused(tmp_path / "no", *ports)
    assert "a SavedModel itself (give the folder" in refused(golden_version, *ports)
    (folder / "1" / "saved_model.pb").write_bytes(b"junk")
    error = refused(folder, *ports)
    assert "Expected a version that loads. Received: version 1: DATA_LOSS, " in error
