"""Clients of `xmc serve` while versions come, some of them corrupt."""

import contextlib
import http.client
import json
import shutil
import threading
import time
from collections import Counter

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.helpers.served_lightxml import make_model
from tests.helpers.server_process import Server
from xmc_keras.serving.export import export

CLIENTS = 32
SECONDS = 60
SWAPS = 10
CORRUPT = {4: "saved_model.pb", 8: "variables/variables.data-00000-of-00001"}
TEXTS = [["a b"], ["c", "", "x y z"], ["d " * 50]]


@pytest.fixture
def folder(tmp_path):
    model = make_model(0, list("pqrst"), [[0, 3, -1], [1, 4, 2]])
    export(model, tmp_path / "model", ["a b", "c", "z y x"], k=3)
    return tmp_path / "model"


def add_version(folder, number):
    """Copies version 1, cut short if it is to be corrupt, and moves it into place."""
    new = folder / f".tmp-{number}"
    shutil.copytree(folder / "1", new)
    if number in CORRUPT:
        path = new / CORRUPT[number]
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    new.rename(folder / str(number))


class RestClient:
    def __init__(self, server):
        host = server.url.removeprefix("http://")
        self.connection = http.client.HTTPConnection(host, timeout=60)

    def ask(self, texts):
        body = json.dumps({"inputs": texts})
        self.connection.request("POST", "/v1/models/m:predict", body)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer["outputs"]["labels"], answer["outputs"]["scores"], "unknown"

    def close(self):
        self.connection.close()


class GrpcClient:
    def __init__(self, server):
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(server.address, options)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    def ask(self, texts):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "m"
        request.inputs["text"].CopyFrom(tf.make_tensor_proto(texts, tf.string))
        response = self.stub.Predict(request, timeout=60)
        labels = tf.make_ndarray(response.outputs["labels"])
        labels = [[label.decode() for label in row] for row in labels]
        scores = tf.make_ndarray(response.outputs["scores"])
        return labels, scores, response.model_spec.version.value

    def close(self):
        self.channel.close()


@pytest.mark.large  # a minute
def test_no_request_fails_while_versions_come(folder, tmp_path):
    server = Server(folder, tmp_path / "log", "--name", "m").ready()
    with contextlib.closing(RestClient(server)) as client:
        expected = [client.ask(texts) for texts in TEXTS]
    answered, failed, stopping = Counter(), [], threading.Event()
    start = time.monotonic()

    def ask_on(kind, number):
        client = kind(server)
        while not stopping.is_set():
            number += 1
            labels, scores, _ = expected[number % len(TEXTS)]
            try:
                found = client.ask(TEXTS[number % len(TEXTS)])
                assert found[0] == labels
                np.testing.assert_allclose(found[1], scores, atol=1e-5)
                answered[kind.__name__, found[2]] += 1
            except Exception as error:
                failed.append(repr(error))
        client.close()

    threads = [
        threading.Thread(target=ask_on, args=((RestClient, GrpcClient)[i % 2], i))
        for i in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    served = []
    numbers = range(2, 2 + SWAPS + len(CORRUPT))
    try:
        for number in numbers:
            add_version(folder, number)
            wanted = "END" if number in CORRUPT else "AVAILABLE"
            while server.states().get(number, (None,))[0] != wanted:
                assert time.monotonic() < start + 10 * SECONDS, server.said()
                time.sleep(0.05)
            served += [number] * (wanted == "AVAILABLE")
            # The swaps are spread over the whole time.
            left = start + SECONDS - time.monotonic()
            time.sleep(max(1, left / (numbers[-1] + 1 - number)))
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    status, _ = server.stop()
    seconds = time.monotonic() - start
    count = f"{sum(answered.values())} requests answered, {len(failed)} failed"
    print(f"{count}, in {seconds:.0f} s")
    print(dict(sorted(answered.items(), key=str)))
    assert not failed, Counter(failed).most_common(5)
    assert status == 0 and len(served) == SWAPS
    by_version = {version for kind, version in answered if kind == "GrpcClient"}
    assert {1, *served} == by_version  # every version has answered, none of the corrupt
    assert server.said().count("does not load") == len(CORRUPT)
