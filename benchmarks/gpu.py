"""Steps, memory and prediction of the three systems on a GPU, in ten minutes.

    python -m benchmarks.gpu --json gpu.json
    python -m benchmarks.gpu --json gpu.json --seconds 300 --torch .torch/bin/python

For a machine that is there for a short time only. The shape is that of Amazon-670K with
BERT-base in bfloat16; weights, words and labels are random, so that nothing has to be
downloaded. One-vs-all has a bfloat16 table and SGD, the others their defaults. With
--torch, LightXML and one-vs-all in plain PyTorch are measured too (`torch_side.py` says
how to install it).

Each figure is measured in a process of its own, the most important ones first. After
each one all figures so far are written to FILE. When the --seconds are over, the
process that runs is ended, and the rest is skipped: `skipped` says why a figure is
missing. `step_s` is the median, next to the quartiles; `first_s` the first step, which
compiles; `peak_gb` the peak memory of the GPU, or of the process where there is none.
"""

import subprocess
import sys
import threading
import time

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import (
    above_zero,
    add_integers,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from benchmarks.shared.sides import Side, spread

PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy")
KERAS, TORCH = "benchmarks.shared.keras_side", "benchmarks.shared.torch_side"
SYSTEMS = {
    "one_vs_all": {"optimizer": "rowwise_sgd", "table_dtype": "bfloat16"},
    "lightxml": {"optimizer": "rowwise_adamw", "table_dtype": "float32"},
    "lightdxml": {"optimizer": "rowwise_adamw", "table_dtype": "float32"},
}
# Of the seconds that are left, the least with which a figure is begun.
LEAST = 15.0
WARM_UP = 2
COLUMNS = ("figure", "step_s", "quartiles_s", "documents_s", "first_s", "peak_gb")


def figures_of(arguments):
    """Yields `(name, module, shape, python)` of each figure, the first ones first."""
    sizes = "labels clusters top_k bottleneck batch tokens layers hidden"
    shape = {name: getattr(arguments, name) for name in sizes.split()}
    shape |= {"labels_a_document": 5.45, "recompute": False, "xla": False}
    shape |= {"precision": arguments.precision, "encoder": "none"}
    for work, xla in (("train", False), ("predict", False), ("train", True)):
        for system, keys in SYSTEMS.items():
            of_system = {**shape, **keys, "system": system, "work": work, "xla": xla}
            name = f"{work}, {system}" + ", XLA" * xla
            yield name, KERAS, of_system, sys.executable
            if not xla and system != "lightdxml":
                yield f"{name}, PyTorch", TORCH, of_system, arguments.torch


def measure(module, shape, python, steps, seconds):
    """Runs one figure, for at most `seconds`; returns a dictionary."""
    side = Side(module, shape, python)
    clock = threading.Timer(seconds, side.process.kill)
    clock.start()
    try:
        (first,) = side.work(1)
        side.work(WARM_UP)
        median, quartiles = spread(side.work(steps))
    except SystemExit:
        over = not clock.is_alive()
        return {"skipped": "out of time" if over else "it failed, see stderr"}
    finally:
        clock.cancel()
        side.process.kill()
        side.close()
    documents = round(shape["batch"] / median, 1)
    found = {"step_s": median, "quartiles_s": quartiles, "documents_s": documents}
    return {**found, "first_s": round(first, 2), "peak_gb": round(side.peak_gb, 2)}


def main(arguments):
    make_place(arguments.json)
    end = time.monotonic() + arguments.seconds
    hidden = ("json", "torch")
    shape = {k: v for k, v in vars(arguments).items() if k not in hidden}
    found = {"shape": shape, **circumstances(PACKAGES), "gpu": gpu(), "measured": []}
    for name, *side in figures_of(arguments):
        left = end - time.monotonic()
        if side[-1] is None:
            row = {"skipped": "no PyTorch"}
        elif left < min(LEAST, arguments.seconds / 2):
            row = {"skipped": "out of time"}
        else:
            row = measure(*side, arguments.steps, left)
        found["measured"].append({"figure": name, **row})
        print(f"{name}: {row}", file=sys.stderr, flush=True)
        keep(found, arguments.json)
    columns = dict.fromkeys([*COLUMNS, "skipped"], "")
    print(table([columns | row for row in found["measured"]]))


def gpu():
    """Name of the first GPU, or None. Asked in a process of its own, which frees it."""
    code = (
        "import tensorflow as tf; found = tf.config.list_physical_devices('GPU'); "
        "print(*[tf.config.experimental.get_device_details(gpu)['device_name'] "
        "for gpu in found[:1]])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() or None


if __name__ == "__main__":
    parser = benchmark_parser("gpu", __doc__)
    sizes = [
        ("labels", 670_091),
        ("clusters", 8192),
        ("top-k", 75),
        ("bottleneck", 400),
        ("batch", 64),
        ("tokens", 128),
        ("layers", 12),
        ("hidden", 768),
        ("steps", 20),
    ]
    add_integers(parser, [(name, default, 1, "") for name, default in sizes])
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument(
        "--seconds", type=above_zero("seconds"), default=540.0, help="in all (540)"
    )
    parser.add_argument("--torch", metavar="PYTHON", help="with PyTorch installed")
    parser.add_argument("--json", metavar="FILE", required=True)
    main(parser.parse_args())
