"""Requests that fail while versions with further labels are swapped in.

    python -m benchmarks.speed.hot_swaps RUN --json benchmarks/results/hot_swaps.json

Exports a run and serves it. While clients ask over REST, labels are added to its model,
from the first documents of its test part, and the next version is exported, three
times. Counts requests and failures, and how long it takes from a model until the
version that has its labels is served. The clients go on until all versions are
served, and for `--seconds` at least.
"""

import itertools
import json
import os
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from benchmarks.shared.serving_sides import NAME, Rest, server
from xmc_keras import RunFolder, export
from xmc_keras.data.splits import read_part

PACKAGES = ("tensorflow", "keras", "numpy")
WAIT = 120.0  # seconds for a version to be served
LABELS, TEXTS = 20, 5  # new labels of a version, and documents of each


def ask_until(stop, port, texts, counts):
    """Asks one text after another; adds to the counts of answers and failures."""
    client = Rest(port)
    for text in itertools.cycle(texts):
        if stop.is_set():
            break
        try:
            client.ask(text)
            counts.append(None)
        except Exception as error:
            counts.append(repr(error))
            client = Rest(port)
    client.close()


def main(arguments):
    make_place(arguments.json)
    run = RunFolder(arguments.run)
    folder = run.data_folder(arguments.data)
    texts = read_part(folder, "test").texts
    model, rows, counts, stop = run.load_model(), [], [], threading.Event()
    with tempfile.TemporaryDirectory() as place:
        export(model, place, texts[:64])
        with server(place) as (port, _, _):
            with ThreadPoolExecutor(arguments.clients) as pool:
                begun = time.monotonic()
                for number in range(arguments.clients):
                    own = texts[number :: arguments.clients]
                    pool.submit(ask_until, stop, port, own, counts)
                try:
                    for version in range(2, 5):
                        row, model = swap(model, place, texts, version, port)
                        rows.append(row)
                        print(table([row]), file=sys.stderr)
                    rest = begun + arguments.seconds - time.monotonic()
                    time.sleep(max(rest, 0))
                finally:
                    stop.set()
                seconds = round(time.monotonic() - begun, 1)
    failures = [said for said in counts if said is not None]
    found = {
        "run": Path(arguments.run).name,
        "clients": arguments.clients,
        "seconds": seconds,
        "requests": len(counts),
        "failures": len(failures),
        "first_failures": failures[:3],
        "swaps": rows,
    }
    print(keep(found | circumstances(PACKAGES), arguments.json))


def swap(model, place, texts, version, port):
    """Adds labels, exports, waits for the version; a row of seconds, and a model."""
    first = (version - 2) * LABELS * TEXTS
    examples = {
        f"version {version} label {i}": [
            texts[(first + i * TEXTS + j) % len(texts)] for j in range(TEXTS)
        ]
        for i in range(LABELS)
    }
    begun = time.monotonic()
    model = model.add_labels(examples)
    added = time.monotonic()
    export(model, place, texts[:64])
    exported = time.monotonic()
    while not is_served(port, version):
        if time.monotonic() > exported + WAIT:
            raise SystemExit(f"error: version {version} is not served")
        time.sleep(0.1)
    return {
        "version": version,
        "labels": len(model.label_set),
        "add_s": round(added - begun, 1),
        "export_s": round(exported - added, 1),
        "swap_s": round(time.monotonic() - exported, 1),
    }, model


def is_served(port, version):
    """Whether the server answers by a version."""
    url = f"http://127.0.0.1:{port}/v1/models/{NAME}"
    with urllib.request.urlopen(url, timeout=60) as response:
        states = json.load(response)["model_version_status"]
    return (str(version), "AVAILABLE") in [(x["version"], x["state"]) for x in states]


if __name__ == "__main__":
    parser = benchmark_parser("speed.hot_swaps", __doc__)
    parser.add_argument("run", help="a finished run")
    parser.add_argument("--data", help="folder of the data, if it was moved")
    options = [("clients", 16, 1, ""), ("seconds", 30, 1, "at least")]
    add_integers(parser, options)
    add_json(parser)
    main(parser.parse_args())
