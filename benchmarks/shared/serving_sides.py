"""Sides of the serving benchmark: the model in this process, and `xmc serve`.

A client has `ask(text)`, which returns the labels and scores of one text. It keeps its
connection until `close()`.
"""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.shared.circumstances import ROOT
from xmc_keras.files.bad_input import BadInput

NAME = "xmc"
START = 300.0  # seconds that the server may take to start


class InProcess:
    def __init__(self, model):
        self.model = model

    def ask(self, text):
        found = self.model.predict({"text": np.array([text.encode()], object)})
        labels = [label.decode() for label in found["labels"][0]]
        return labels, found["scores"][0].tolist()

    def close(self):
        pass


class Rest:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, text):
        body = json.dumps({"instances": [text]}).encode()
        headers = {"Content-Type": "application/json"}
        self.connection.request("POST", f"/v1/models/{NAME}:predict", body, headers)
        response = self.connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise BadInput(
                f"Expected an answer with status 200. Received: {response.status}, "
                f"{content[:200]!r}."
            )
        (answer,) = json.loads(content)["predictions"]
        return answer["labels"], answer["scores"]

    def close(self):
        self.connection.close()


class Grpc:
    def __init__(self, port):
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        # By default all clients of a process share one connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    def ask(self, text):
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = NAME
        request.inputs["text"].CopyFrom(tf.make_tensor_proto([text.encode()]))
        answer = self.stub.Predict(request, timeout=60)
        labels = [label.decode() for label in answer.outputs["labels"].string_val]
        return labels, tf.make_ndarray(answer.outputs["scores"])[0].tolist()

    def close(self):
        self.channel.close()


@contextlib.contextmanager
def server(folder):
    """Runs `xmc serve`; yields its REST port, its gRPC port and the served version."""
    with server_process(folder) as (_, *found):
        yield found


@contextlib.contextmanager
def server_process(folder):
    """Same as `server`, with the process before the ports."""
    ports = free_ports(2)
    command = [sys.executable, "-m", "xmc_keras.cli.program", "serve"]
    command.append(str(Path(folder).absolute()))
    command += ["--name", NAME, "--rest-port", str(ports[0])]
    command += ["--grpc-port", str(ports[1])]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        try:
            yield process, *ports, wait_for_version(process, ports[0], log)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for found in sockets:
            found.bind(("127.0.0.1", 0))
        return [found.getsockname()[1] for found in sockets]


def wait_for_version(process, port, log):
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            with contextlib.closing(connection):
                connection.request("GET", f"/v1/models/{NAME}")
                states = json.loads(connection.getresponse().read())
            for state in states.get("model_version_status", []):
                if state["state"] == "AVAILABLE":
                    return int(state["version"])
        time.sleep(0.2)
    log.seek(0)
    said = log.read().decode(errors="replace").strip()[-2000:]
    raise BadInput(f"Expected xmc serve to start. It printed: {said or 'nothing'}")
