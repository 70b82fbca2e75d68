"""Runs the benchmarks of speed and memory, and writes benchmarks/RESULTS.md.

    python benchmarks/run_all.py
    python benchmarks/run_all.py --torch .torch/bin/python --only train_step
    python benchmarks/run_all.py --only none

Each result is kept in benchmarks/results/ as JSON, with its command, machine, versions
and commit; RESULTS.md is made of what is there. --only runs those whose name begins so
(`none` runs nothing and writes RESULTS.md anew). Run it on a quiet machine.
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

from benchmarks.shared.figures import table
from xmc_keras.files.atomic_files import atomic_write

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
ENCODER = "train_step.py --labels 0 --json --tokens"
# Name, title, and command; those with --torch are run where it is given.
RUNS = {
    "train_step": ("Training step, Amazon-670K", "train_step.py --json --torch"),
    "train_step_partial": (
        "The same, one second moment a row",
        "train_step.py --json --optimizer partial_rowwise_adamw",
    ),
    "train_step_small": (
        "The same, Adam in the least memory",
        "train_step.py --json --table-dtype bfloat16 --recompute",
    ),
    "train_step_sgd": (
        "The same, SGD without moments",
        "train_step.py --json --optimizer rowwise_sgd --recompute",
    ),
    "train_step_sgd_bfloat16": (
        "The same, SGD and a bfloat16 table",
        "train_step.py --json --optimizer rowwise_sgd --table-dtype bfloat16 "
        "--recompute",
    ),
    "train_step_3m": (
        "3,000,000 labels",
        "train_step.py --json --labels 3000000 --clusters 32768 --bottleneck 256 "
        "--without encoder\\ alone",
    ),
    "train_step_encoder_128": ("Encoder, 128 tokens", f"{ENCODER} 128 --torch"),
    "train_step_encoder_64": ("Encoder, 64 tokens", f"{ENCODER} 64 --torch"),
    "predict": ("Prediction, Amazon-670K", "predict.py --json --torch"),
    "predict_lengths": (
        "Prediction of documents as long as they are",
        "predict.py --json --run runs/quickstart",
    ),
    "predict_lightdxml": (
        "The same by LightDXML",
        "predict.py --json --run runs/lightdxml_debian24k --form float16",
    ),
    "lengths": ("Batches by length, Debian-24K", "lengths.py"),
    "clustering": ("Clustering, Debian-24K", "clustering.py --seeds 3"),
    "clustering_amazon670k": (
        "Clustering, Amazon-670K",
        "clustering.py --shape amazon670k --without-plain",
    ),
    "lightdxml_scale": ("LightDXML, Amazon-670K", "lightdxml_scale.py"),
    "nearest_search": ("Nearest labels, exact and by HNSW", "nearest_search.py"),
    "accuracy": (
        "Accuracy of the fast ways to train",
        "accuracy.py --seeds 3 --only 'dense float32' --only 'row-wise Adam' "
        "--only 'bfloat16 table' --only XLA",
    ),
    "accuracy_one_seed": ("The same, of more ways", "accuracy.py --seeds 1"),
    "ablations": (
        "The paper's claims, Debian-24K",
        "ablations.py --set precision=mixed_bfloat16 --json "
        "benchmarks/results/ablations.json",
    ),
    "data": ("Tokens and batches, Debian-24K", "data.py"),
    "prepare": ("Preparing data of Wiki-500K's size", "prepare.py --kill"),
}


def run(name, command, torch):
    """Runs one benchmark and keeps its result."""
    words = shlex.split(command)
    with_torch = words[-1] == "--torch"
    if with_torch:
        words.pop()
    print(f"{name}: {shlex.join(words)}", file=sys.stderr, flush=True)
    command = [sys.executable, HERE / words[0], *words[1:]]
    if with_torch and torch:
        command += ["--torch", torch]
        words += ["--torch", "PYTHON"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    if done.returncode:
        sys.exit(f"error: {name} ended with status {done.returncode}; see above.")
    record = {"command": "python benchmarks/" + shlex.join(words)}
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
        f"## {title}\n\n`{record['command']}`, commit {record['commit']}, "
        f"{machine['cores']} cores, {machine['ram_gb']} GB, load {machine['load']} at "
        f"the end\n\n{indented}\n"
    )


def flat(record, prefix=""):
    """Names with dots, and values, of nested dictionaries."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def results():
    """The text of RESULTS.md."""
    parts = ["# Results\n\nWritten by `python benchmarks/run_all.py`.\n"]
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--torch", metavar="PYTHON", help="with PyTorch as a side")
    parser.add_argument("--only", metavar="NAME", help="those whose name begins so")
    main(parser.parse_args())
