"""Bytes that a worker receives in a training step, counted against calculated ones.

    python -m benchmarks.distribution.received
    python -m benchmarks.distribution.received --workers 2 --labels 20000 --clusters 256

Workers are processes of this machine that train a LightXML of random weights with
`tf.distribute`: with a label table on every worker, whose row gradients are exchanged,
and with a table whose rows are dealt out over the workers. `received_mb` is what the
sockets of a worker have received in a step, as Linux counts it (TCP_INFO), the mean
over workers and steps. `interface_mb` is what the loopback interface has received,
divided by the number of workers: headers and acknowledgements are in it, and so is
what other programs of this machine send meanwhile. `calculated_mb` is what `xmc plan
--workers` counts for these sizes. `step_s` is the median step on this machine, on which
the workers share the cores.

Documents have clusters of their own, as far as there are enough, so that a step reads
the most rows it can.
"""

import json
import os
import socket
import subprocess
import sys
import types

import numpy as np

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
)
from xmc_keras.training.planning.traffic import count_received

PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy")
WORKER = "benchmarks.distribution.worker"
MB = 1e6


def calculate(shape, sizes):
    """Bytes that a worker receives in a step, by what they are: a dictionary.

    Args:
        shape: dictionary of the arguments, and `sharded`.
        sizes: dictionary of the numbers of a model, as a worker finds them: `dense`,
            those of weights whose gradients are summed whole; `token_rows` and
            `label_rows`, rows that all workers together have gradients of; `hidden`,
            the encoder's width; `candidates`, those of a document.
    """
    n, dim = shape["workers"], shape["bottleneck"]
    rows = {"token rows": (sizes["token_rows"] / n, sizes["hidden"])}
    exchanged = {}
    if shape["sharded"]:
        candidates = 4 * sizes["candidates"]
        exchanged = {"features": (4 * dim, 4 * dim), "candidates": (candidates, 0)}
        exchanged["logits"] = candidates, candidates
    else:
        rows["label rows"] = sizes["label_rows"] / n, dim
    return count_received(
        types.SimpleNamespace(
            workers=n,
            worker_batch=shape["batch"],
            dense={"gradients": sizes["dense"]},
            rows=rows,
            exchanged=exchanged,
        )
    )


def start_workers(shape):
    """Starts the workers of a shape; returns what each has counted."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(shape["workers"])]
    addresses = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    processes = []
    for index in range(shape["workers"]):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task}
        environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
        environment |= {"TF_NUM_INTRAOP_THREADS": "1", "CUDA_VISIBLE_DEVICES": "-1"}
        command = [sys.executable, "-m", WORKER, json.dumps(shape)]
        processes.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
            )
        )
    try:
        outputs = [process.communicate()[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    if any(process.returncode for process in processes):
        sys.exit("error: a worker ended; see above.")
    return [json.loads(output) for output in outputs]


def summary(shape, found):
    """The figures of one kind of table, a dictionary."""
    parts = calculate(shape, found[0]["sizes"])
    received = np.mean([worker["received"] for worker in found])
    calculated = sum(parts.values())
    return {
        "label table": "dealt out" if shape["sharded"] else "on every worker",
        "received_mb": round(received / MB, 2),
        "interface_mb": round(found[0]["interface"] / shape["workers"] / MB, 2),
        "calculated_mb": round(calculated / MB, 2),
        "received / calculated": round(received / calculated, 3),
        "step_s": round(float(np.median(found[0]["seconds"])), 2),
    }, {name: round(size / MB, 3) for name, size in parts.items()}


def main(arguments):
    make_place(arguments.json)
    names = "workers labels clusters top_k bottleneck batch tokens steps".split()
    shape = {name: getattr(arguments, name) for name in names}
    rows, parts = [], {}
    for sharded in (False, True):
        of_kind = shape | {"sharded": sharded}
        row, calculated = summary(of_kind, start_workers(of_kind))
        rows.append(row)
        parts[row["label table"]] = calculated
    record = {"shape": shape, "measured": rows, "calculated_parts_mb": parts}
    print(keep(record | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("distribution.received", __doc__)
    sizes = [
        ("workers", 8, 2, "processes"),
        ("labels", 1_000_000, 1, ""),
        ("clusters", 8192, 1, ""),
        ("top-k", 10, 1, "clusters of a document"),
        ("bottleneck", 64, 1, "width of a label's row"),
        ("batch", 16, 1, "documents of a worker"),
        ("tokens", 16, 1, "of a document"),
        ("steps", 5, 1, "steps that are counted"),
    ]
    add_integers(parser, sizes)
    add_json(parser)
    main(parser.parse_args())
