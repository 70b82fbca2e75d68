"""Runs the benchmarks and writes benchmarks/RESULTS.md.

    python -m benchmarks.run_all
    python -m benchmarks.run_all --torch .torch/bin/python --only train_step
    python -m benchmarks.run_all --only none

Each result is kept in benchmarks/results/ as JSON, with its command, machine, versions
and commit. RESULTS.md shows these files. --only runs the benchmarks whose names begin
with NAME; `none` runs nothing and only writes RESULTS.md. Run it on a quiet machine.
"""

import json
import re
import shlex
import subprocess
import sys

from benchmarks.shared.circumstances import ROOT
from benchmarks.shared.figures import benchmark_parser, table
from xmc_keras.files.atomic_files import atomic_write

HERE = ROOT / "benchmarks"
RESULTS = HERE / "results"
TRAIN_STEP = "speed.train_step --json"
ENCODER = "speed.train_step --labels 0 --json --tokens"
# Name to title and command, which begins with a module of this folder. Commands that
# end with --torch get a Python with PyTorch, where one is given.
RUNS = {
    "train_step": ("Training step, Amazon-670K", f"{TRAIN_STEP} --torch"),
    "train_step_partial": (
        "The same, one second moment per row",
        f"{TRAIN_STEP} --optimizer partial_rowwise_adamw",
    ),
    "train_step_small": (
        "The same, Adam in the least memory",
        f"{TRAIN_STEP} --table-dtype bfloat16 --recompute",
    ),
    "train_step_sgd": (
        "The same, SGD without moments",
        f"{TRAIN_STEP} --optimizer rowwise_sgd --recompute",
    ),
    "train_step_sgd_bfloat16": (
        "The same, SGD and a bfloat16 table",
        f"{TRAIN_STEP} --optimizer rowwise_sgd --table-dtype bfloat16 --recompute",
    ),
    "train_step_3m": (
        "3,000,000 labels",
        f"{TRAIN_STEP} --labels 3000000 --clusters 32768 --bottleneck 256 "
        "--without 'encoder alone'",
    ),
    "train_step_one_vs_all": (
        "One-vs-all, a bfloat16 table, Amazon-670K",
        f"{TRAIN_STEP} --system one_vs_all --table-dtype bfloat16 --torch",
    ),
    "train_step_one_vs_all_3m": (
        "One-vs-all, 3,000,000 labels",
        f"{TRAIN_STEP} --system one_vs_all --table-dtype bfloat16 --labels 3000000 "
        "--without LightXML",
    ),
    "train_step_encoder_128": ("Encoder, 128 tokens", f"{ENCODER} 128 --torch"),
    "train_step_encoder_64": ("Encoder, 64 tokens", f"{ENCODER} 64 --torch"),
    "predict": ("Prediction, Amazon-670K", "speed.predict --json --torch"),
    "predict_lengths": (
        "Prediction of documents at their own length",
        "speed.predict --json --run runs/quickstart",
    ),
    "predict_lightdxml": (
        "The same, LightDXML",
        "speed.predict --json --run runs/lightdxml_debian24k --form float16",
    ),
    "lengths": ("Batches by length, Debian-24K", "speed.lengths"),
    "clustering": ("Clustering, Debian-24K", "speed.clustering --seeds 3"),
    "clustering_amazon670k": (
        "Clustering, Amazon-670K",
        "speed.clustering --shape amazon670k --without-plain",
    ),
    "lightdxml_scale": ("LightDXML, Amazon-670K", "speed.lightdxml_scale"),
    "nearest_search": ("Nearest labels, exact and by HNSW", "speed.nearest_search"),
    "accuracy": (
        "Accuracy of the fast ways to train",
        "accuracy.accuracy --seeds 3 --only 'dense float32' --only 'row-wise Adam' "
        "--only 'bfloat16 table' --only XLA",
    ),
    "accuracy_one_seed": (
        "The same, more ways and one seed",
        "accuracy.accuracy --seeds 1",
    ),
    "classifiers": (
        "The classifiers, 12,000 documents of Debian-24K",
        "accuracy.classifiers",
    ),
    "first_answer": (
        "From an import to a first answer, 300 documents",
        "speed.first_answer",
    ),
    "ablations": (
        "The paper's claims, Debian-24K",
        "accuracy.ablations --set precision=mixed_bfloat16 --json "
        "benchmarks/results/ablations.json",
    ),
    "data": ("Tokens and batches, Debian-24K", "speed.data"),
    "prepare": ("Preparing data of the size of Wiki-500K", "speed.prepare --kill"),
    "received": (
        "Bytes that a worker receives in a step, 8 workers, 1,000,000 labels",
        "distribution.received",
    ),
}
HEADER = """# Results

Written by `python -m benchmarks.run_all` from the files in `results/`. Commands have
their current form; each file keeps the command that was run at its commit.
"""


def run(name, command, torch):
    """Runs one benchmark and keeps its result."""
    words = shlex.split(command)
    with_torch = words[-1] == "--torch"
    if with_torch:
        words.pop()
    print(f"{name}: {shlex.join(words)}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"benchmarks.{words[0]}", *words[1:]]
    if with_torch and torch:
        command += ["--torch", torch]
        words += ["--torch", "PYTHON"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    if done.returncode:
        sys.exit(f"error: {name} ended with status {done.returncode}; see above.")
    record = {"command": "python -m benchmarks." + shlex.join(words)}
    record |= json.loads(done.stdout)
    RESULTS.mkdir(exist_ok=True)
    with atomic_write(RESULTS / f"{name}.json") as file:
        file.write(json.dumps(record, indent=2).encode() + b"\n")


def section(title, record):
    """One result as Markdown."""
    machine = record["machine"]
    rows = record.get("sides") or record.get("measured")
    if rows is None:
        rows = [
            {"figure": name, "value": value}
            for name, value in flat(record)
            if name.split(".")[0] not in ("command", "machine", "versions", "commit")
        ]
    figures = table(rows)
    if "label_share" in record:
        figures += f"\n\nlabel_share {record['label_share']}"
    if record.get("ensembles"):
        figures += f"\n\n{table(record['ensembles'])}"
    indented = "\n".join(f"    {line}".rstrip() for line in figures.splitlines())
    return (
        f"## {title}\n\n`{as_module(record['command'])}`, commit {record['commit']}, "
        f"{machine['cores']} cores, {machine['ram_gb']} GB, load {machine['load']} at "
        f"the end\n\n{indented}\n"
    )


def as_module(command):
    """A recorded command as it is written today.

    Older commits name a file of this folder, `python -m benchmarks.predict --json`.
    """
    modules = [words.split()[0] for _, words in RUNS.values()]
    module_of = {module.rpartition(".")[2]: module for module in modules}

    def current(found):
        module = module_of.get(found[1])
        return f"-m benchmarks.{module}" if module else found[0]

    return re.sub(r"benchmarks/(\w+)\.py", current, command, count=1)


def flat(record, prefix=""):
    """Yields names, joined by dots, and values of nested dictionaries."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def results():
    """The text of RESULTS.md."""
    parts = [HEADER]
    for name, (title, _) in RUNS.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            parts.append(section(title, json.loads(path.read_text())))
        else:
            parts.append(f"## {title}\n\nNot measured.\n")
    return "\n".join(parts)


def main(arguments):
    for name, (_, command) in RUNS.items():
        if arguments.only is None or name.startswith(arguments.only):
            run(name, command, arguments.torch)
    with atomic_write(HERE / "RESULTS.md") as file:
        file.write(results().encode())


if __name__ == "__main__":
    parser = benchmark_parser("run_all", __doc__)
    parser.add_argument(
        "--torch", metavar="PYTHON", help="also measure PyTorch, with this Python"
    )
    parser.add_argument(
        "--only", metavar="NAME", help="run benchmarks whose names begin with NAME"
    )
    main(parser.parse_args())
