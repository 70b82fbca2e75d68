"""Latency and throughput of `xmc serve`, against the same model without a server.

    python -m benchmarks.speed.serving exports/quickstart
    python -m benchmarks.speed.serving exports/quickstart --grpc --seconds 60

FOLDER holds the version folders of an export. `xmc serve` serves it on free ports of
this machine; `in process` calls the default signature of the same version directly, so
the difference is the cost of the server. A request is one test document of `--data`.
All sides begin with the first document, and their answers to it have to agree. The
ratio printed last is meaningful only for a model of real size.

The sides take turns of two seconds, so that all see the same machine. A client is a
thread with a connection of its own, which it keeps for a turn; its first request of a
turn is not counted. Clients share their cores with the server, so with many clients the
figures are those of the machine. Only timings from a quiet machine are worth keeping.
"""

import contextlib
import itertools
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    add_json,
    at_least,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from benchmarks.shared.serving_sides import Grpc, InProcess, Rest, server
from xmc_keras.data.documents import read_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.find_versions import find_versions

TURN = 2.0  # seconds
TARGET = 1.25  # p50 of REST over p50 in process, at one client
PACKAGES = ("tensorflow", "tensorflow-text", "starlette", "uvicorn", "grpcio", "numpy")


def take_turn(connect, texts, clients, seconds):
    """Sends requests for `seconds`; returns the latencies and the time taken."""

    def first(_):
        client = connect()
        client.ask(next(texts))
        return client

    def ask_on(client):
        latencies = []
        while time.perf_counter() < end:
            start = time.perf_counter()
            client.ask(next(texts))
            latencies.append(time.perf_counter() - start)
        return latencies

    with ThreadPoolExecutor(clients) as pool:
        connected = list(pool.map(first, range(clients)))
        start = time.perf_counter()
        end = start + seconds
        latencies = list(itertools.chain(*pool.map(ask_on, connected)))
        taken = time.perf_counter() - start
    for client in connected:
        client.close()
    return latencies, taken


def measured(sides, texts, clients, seconds):
    """Lets the sides take turns; returns a row for each."""
    latencies = {side: [] for side in sides}
    taken = dict.fromkeys(sides, 0.0)
    rest_of_texts = {side: itertools.cycle(texts) for side in sides}
    for _ in range(max(1, round(seconds / TURN))):
        for side, connect in sides.items():
            turn = min(seconds, TURN)
            found = take_turn(connect, rest_of_texts[side], clients, turn)
            latencies[side] += found[0]
            taken[side] += found[1]
    return [
        {"side": side, "clients": clients, **summary(latencies[side], taken[side])}
        for side in sides
    ]


def summary(latencies, seconds):
    """Requests, percentiles in milliseconds, and requests per second."""
    percentiles = np.percentile(latencies, [50, 95, 99]) * 1000
    return {
        "requests": len(latencies),
        **{f"p{p}_ms": round(x, 3) for p, x in zip((50, 95, 99), percentiles.tolist())},
        "per_second": round(len(latencies) / seconds, 1),
    }


def cost_of_rest(rows):
    """What REST adds to p50 at one client; empty if that was not measured."""
    p50 = {row["side"]: row["p50_ms"] for row in rows if row["clients"] == 1}
    if not p50:
        return {}
    ratio, more = p50["REST"] / p50["in process"], p50["REST"] - p50["in process"]
    return {"p50_ratio": round(ratio, 3), "p50_more_ms": round(more, 3)}


def main(arguments):
    folder = Path(arguments.folder)
    if not folder.is_dir() or not find_versions(folder):
        received = "no version" if folder.is_dir() else "no such folder"
        raise BadInput(
            "Expected the folder that an export was written to, with version folders "
            f"1, 2, ... in it. Received: {received}. Make one with xmc export.",
            folder,
        )
    make_place(arguments.json)
    found = {
        "export": folder.resolve().name,
        "data": Path(arguments.data).resolve().name,
        "seconds": arguments.seconds,
        "turn_seconds": TURN,
    }
    found |= circumstances(PACKAGES)
    texts = read_documents(arguments.data, "test").texts
    found["documents"] = len(texts)
    found["median_characters"] = int(np.median([len(text) for text in texts]))

    rows = []
    with server(folder) as (rest_port, grpc_port, served):
        # Not at the top, since TensorFlow takes seconds. It warns although all is well.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        from xmc_keras.serving.server.served_model import ServedModel

        found["version"] = served
        model = ServedModel(find_versions(folder)[served])
        sides = {
            "in process": lambda: InProcess(model),
            "REST": lambda: Rest(rest_port),
        }
        if arguments.grpc:
            sides["gRPC"] = lambda: Grpc(grpc_port)
        check_agreement(sides, texts[0])
        for clients in arguments.clients:
            rows += measured(sides, texts, clients, arguments.seconds)
        model.close()

    found |= cost_of_rest(rows)
    found["measured"] = rows
    print(table(rows))
    if "p50_ratio" in found:
        print(
            f"p50 of REST at one client: {found['p50_ratio']} times that in process "
            f"(target: at most {TARGET}), {found['p50_more_ms']} ms more"
        )
    keep(found, arguments.json)


def check_agreement(sides, text):
    answers = {}
    for side, connect in sides.items():
        with contextlib.closing(connect()) as client:
            answers[side] = client.ask(text)
    labels, scores = answers["in process"]
    for side, answer in answers.items():
        if answer[0] != labels or not np.allclose(answer[1], scores, atol=1e-5):
            raise BadInput(
                f"Expected the answer in process, {labels} {scores}. Received from "
                f"{side}: {answer}."
            )


if __name__ == "__main__":
    parser = benchmark_parser("speed.serving", __doc__)
    parser.add_argument("folder", metavar="FOLDER", help="holds versions 1, 2, ...")
    parser.add_argument(
        "--clients", type=at_least(1), nargs="+", default=[1, 8, 32], metavar="N"
    )
    parser.add_argument(
        "--seconds",
        type=at_least(1),
        default=20,
        help="per side and number of clients (20)",
    )
    parser.add_argument("--grpc", action="store_true", help="also measure gRPC")
    data = ROOT / "data" / "debian24k"
    parser.add_argument("--data", default=data, help="a data folder (data/debian24k)")
    add_json(parser)
    try:
        main(parser.parse_args())
    except BadInput as error:
        parser.exit(2, f"error: {error}\n")
