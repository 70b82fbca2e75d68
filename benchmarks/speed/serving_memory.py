"""Memory of `xmc serve` over a long time of mixed requests.

    python -m benchmarks.speed.serving_memory exports/quickstart
    python -m benchmarks.speed.serving_memory exports/quickstart --minutes 60 --rate 5

FOLDER holds the version folders of an export of a model that reads texts. `xmc serve`
serves it on free ports of this machine, and four clients send requests over REST and
gRPC: all signatures, one text or many, short ones and long ones, and requests that the
server has to refuse. Any other status than the expected one is a failure, and ends the
program with status 1.

The memory after `--minutes` is compared with that after five minutes, or after a tenth
of the time if that is less: medians of the samples of a tenth of that time. Resident
memory is what the process holds; private memory leaves out the pages of libraries that
processes share.
"""

import base64
import http.client
import json
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    above_zero,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from benchmarks.shared.serving_sides import NAME, server_process
from xmc_keras.data.documents import read_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.find_versions import find_versions

CLIENTS = 4
LIMIT = 0.05  # growth that is allowed
PACKAGES = ("tensorflow", "tensorflow-text", "starlette", "uvicorn", "grpcio")
REFUSED = 400, "INVALID_ARGUMENT"


class Requests:
    """Random requests, the same ones for the same seed.

    Args:
        texts: list of strings.
        labels: list of strings. Label names that `score` is asked for.
        seed: int.
    """

    def __init__(self, texts, labels, seed):
        self.random = random.Random(seed)
        self.texts, self.labels = texts, labels
        self.kinds = (self.good, self.good, self.good, self.good, self.bad)

    def next(self):
        """`(what, body, expected)`: a body of `:predict` and its two statuses."""
        return self.random.choice(self.kinds)()

    def some_texts(self):
        count = self.random.choice((1, 1, 1, 2, 5, 17, 40))
        texts = self.random.choices(self.texts, k=count)
        if self.random.random() < 0.1:
            texts[0] = " ".join(self.random.choices(self.texts, k=200))
        return texts

    def good(self):
        name = self.random.choice(("serving_default", "top_k", "score", "embed"))
        inputs = {"text": self.some_texts()}
        if name == "top_k":
            inputs["k"] = [self.random.randint(1, 20) for _ in inputs["text"]]
        if name == "score":
            names = [
                *self.random.choices(self.labels, k=self.random.randint(0, 9)),
                "?",
            ]
            inputs["labels"] = [names] * len(inputs["text"])
        return name, {"signature_name": name, "inputs": inputs}, (200, "OK")

    def bad(self):
        text = self.some_texts()
        cases = {
            "other k": ({"text": text, "k": [1] * (len(text) + 2)}, "top_k"),
            "text of rank 2": ({"text": [text]}, "serving_default"),
            "too many labels": (
                {"text": text[:1], "labels": [["?"] * 10_001]},
                "score",
            ),
            "labels of other rows": ({"text": text, "labels": [["?"]] * 99}, "score"),
            "no text": ({"k": 1}, "top_k"),
        }
        what = self.random.choice([*cases, "bytes", "no texts"])
        if what == "bytes":  # not refused: not every text is UTF-8
            raw = base64.b64encode(self.random.randbytes(99)).decode()
            body = {"signature_name": "embed", "inputs": {"text": [{"b64": raw}]}}
            return what, body, (200, "OK")
        if what == "no texts":
            return what, {"inputs": {"text": []}}, (200, "OK")
        inputs, name = cases[what]
        return what, {"signature_name": name, "inputs": inputs}, REFUSED


class RestClient:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, body):
        path = f"/v1/models/{NAME}:predict"
        self.connection.request("POST", path, json.dumps(body))
        response = self.connection.getresponse()
        json.loads(response.read(), parse_constant=float.fromhex)  # refuses NaN
        return response.status


class GrpcClient:
    def __init__(self, port):
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        self.error = grpc.RpcError
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def ask(self, body):
        import numpy as np
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = NAME
        request.model_spec.signature_name = body.get("signature_name", "")
        for key, values in body["inputs"].items():
            if key == "text" and isinstance(values[:1], list) and values:
                if isinstance(values[0], dict):
                    values = [base64.b64decode(x["b64"]) for x in values]
            dtype = tf.int32 if key == "k" else tf.string
            array = np.array(values, None if key == "k" else object)
            request.inputs[key].CopyFrom(tf.make_tensor_proto(array, dtype))
        try:
            self.stub.Predict(request, timeout=60)
        except self.error as error:
            return error.code().name
        return "OK"


def send_requests(client, requests, side, seconds_apart, end, counts, failures):
    """Sends requests until `end`, and counts them by what they are."""
    due = time.monotonic() + requests.random.random() * seconds_apart
    while (now := time.monotonic()) < end:
        if now < due:
            time.sleep(min(due - now, 0.5))
            continue
        due = max(due + seconds_apart, now)
        what, body, expected = requests.next()
        try:
            status = client.ask(body)
        except Exception as error:
            status = repr(error)
        counts[f"{'REST' if side == 0 else 'gRPC'}, {what}"] += 1
        if status != expected[side]:
            failures.append(f"{what}: {status}, expected {expected[side]}")


def read_memory(process):
    """Resident and private memory of a process, in MB."""
    rows = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {row.split(":")[0]: int(row.split()[1]) / 1024 for row in rows}
    private = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return round(sizes["Rss"], 1), round(private, 1)


def main(arguments):
    folder = Path(arguments.folder)
    make_place(arguments.json)
    texts = read_documents(arguments.data, "test").texts
    seconds = arguments.minutes * 60
    first = min(300, seconds / 10)
    window = first / 10
    samples, counts, failures = [], Counter(), []
    with server_process(folder) as (process, rest_port, grpc_port, version):
        path = find_versions(folder)[version] / "assets.extra/labels.txt"
        labels = path.read_text("utf-8").splitlines()
        started = read_memory(process)
        start = time.monotonic()
        threads = []
        for i in range(CLIENTS):
            side = i % 2
            client = (RestClient, GrpcClient)[side]((rest_port, grpc_port)[side])
            work = client, Requests(texts, labels, i), side, CLIENTS / arguments.rate
            work += start + seconds, counts, failures
            threads.append(threading.Thread(target=send_requests, args=work))
            threads[-1].start()
        while any(thread.is_alive() for thread in threads):
            now = time.monotonic() - start
            if not samples or now // 60 > samples[-1][0] // 60:
                sent = f"{sum(counts.values())} requests, {len(failures)} failed"
                print(f"{now // 60:3.0f} min: {read_memory(process)} MB, {sent}")
            samples.append((now, *read_memory(process)))
            time.sleep(min(window / 5, 5))

    def memory(at):
        near = [x for x in samples if at - window <= x[0] <= at + window] or samples[
            -1:
        ]
        return [statistics.median(x[i] for x in near) for i in (1, 2)]

    early, late = memory(first), memory(samples[-1][0] - window)
    growth = [round(100 * (b / a - 1), 2) for a, b in zip(early, late)]
    rows = [
        {"after": name, "resident_mb": resident, "private_mb": private}
        for name, (resident, private) in {
            "start": started,
            f"{first / 60:g} min": early,
            f"{seconds / 60:g} min": late,
        }.items()
    ]
    print(table(rows))
    print(f"growth: {growth[0]} % resident, {growth[1]} % private")
    print(f"requests: {sum(counts.values())}, {len(failures)} failed")
    for failure, times in Counter(failures).most_common(10):
        print(f"  {times} x {failure}")
    found = {
        "export": folder.resolve().name,
        "minutes": arguments.minutes,
        "requests_per_second": arguments.rate,
        "requests": dict(sorted(counts.items())),
        "failed": len(failures),
        "measured": rows,
        "growth_percent": dict(zip(("resident", "private"), growth)),
        "by_minute": [
            {"minute": minute, "resident_mb": resident, "private_mb": private}
            for minute, (resident, private) in by_minute(samples).items()
        ],
    }
    keep(found | circumstances(PACKAGES), arguments.json)
    return bool(failures) or max(growth) > 100 * LIMIT


def by_minute(samples):
    """The first sample of each minute."""
    found = {}
    for seconds, *memory in samples:
        found.setdefault(int(seconds // 60), memory)
    return found


if __name__ == "__main__":
    parser = benchmark_parser("speed.serving_memory", __doc__)
    parser.add_argument("folder", metavar="FOLDER", help="holds versions 1, 2, ...")
    parser.add_argument(
        "--minutes", type=above_zero("minutes"), default=60, help="how long (60)"
    )
    parser.add_argument(
        "--rate", type=above_zero("a rate"), default=5, help="requests a second (5)"
    )
    data = ROOT / "data" / "debian24k"
    parser.add_argument("--data", default=data, help="a data folder (data/debian24k)")
    add_json(parser)
    try:
        sys.exit(main(parser.parse_args()))
    except BadInput as error:
        parser.exit(2, f"error: {error}\n")
