import json
import logging
import socket
import threading
import types

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.rest_server import (
    PREDICT,
    OneVersion,
    post,
    request,
    serving,
)

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
