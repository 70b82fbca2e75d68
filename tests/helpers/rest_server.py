"""The REST interface over real HTTP, for a model that stays the same."""

import contextlib
import http.client
import json
import socket
import threading
import types

import numpy as np
import uvicorn

from xmc_keras.serving.server.rest.rest_app import build_app
from xmc_keras.serving.server.serving_error import ServingError

LIMIT = 4 * 2**20
PREDICT = "/v1/models/m:predict"


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
def serving(models, max_body_bytes=LIMIT, threads=2, **options):
    """Runs a server on a free local port; yields the port."""
    config = uvicorn.Config(
        build_app(models, max_body_bytes, threads, **options),
        log_config=None,
        ws="none",
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
