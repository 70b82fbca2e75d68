"""Accuracy of the fast ways to train beside plain dense float32, over seeds.

    python benchmarks/accuracy/accuracy.py --json benchmarks/results/accuracy.json
    python benchmarks/accuracy/accuracy.py --seeds 1 --only "row-wise Adam" --only XLA

Each way is `configs/quickstart.yaml` (12,000 documents of Debian-24K) with a setting
or two changed, trained by `trainers/fit.py` for the seeds 0, 1, ...; the seed draws the
documents too, so ways are compared on the same ones. P@k in percent on the whole test
part; `vs dense` is the mean of the differences, seed by seed. Runs are kept in --runs
and not trained again: stop it when you like and start it again. A row names the commits
that trained it.
"""

import argparse
import logging
import sys
from pathlib import Path

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import add_integers, add_json, keep, make_place, table
from benchmarks.shared.sides import ROOT

sys.path.append(str(ROOT / "trainers"))

from xmc_keras.bad_input import BadInput  # noqa: E402
from xmc_keras.cli.sweep import PRECISION, difference, mean_and_deviation, train_run  # noqa: E402

CONFIG = ROOT / "configs/quickstart.yaml"
DENSE = "dense float32"
WAYS = {
    DENSE: ["optimizer=adamw"],
    "row-wise Adam": [],
    "bfloat16 table": ["table_dtype=bfloat16"],
    # Of one length, because XLA compiles each anew.
    "XLA": ["jit_compile=true", "pad_multiple=32"],
    "one second moment a row": ["optimizer=partial_rowwise_adamw"],
    "mixed_bfloat16": ["precision=mixed_bfloat16"],
    "mixed_float16": ["precision=mixed_float16"],
    "SGD": ["optimizer=rowwise_sgd", "label_learning_rate=5"],
}
PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy")


def train(config, run, settings):
    """Metrics of a run, which is trained, or gone on with, unless it is there."""
    commit, there = run / "commit.txt", (run / "metrics.json").exists()
    try:
        metrics = train_run(config, run, settings, ROOT)
    except BadInput as error:
        sys.exit(f"error: {run.name} ended early: {error}")
    if not there:
        commit.write_text(circumstances(())["commit"])
    return metrics | {"commit": commit.read_text().strip()}


def summary(found, first, kind, called):
    """A row for each `kind` of runs, from its metrics by seed.

    `first` is the kind, called `called`, that the others are compared with.
    """
    rows = []
    for name, runs in found.items():
        row = {kind: name, "seeds": len(runs)}
        for key in PRECISION:
            values, base = (
                {s: run[key] for s, run in f.items()} for f in (runs, first)
            )
            told = mean_and_deviation(list(values.values()))
            row[key], row[f"{key} deviation"] = told["mean"], told["deviation"]
            between = difference(values, base)
            row[f"{key} vs {called}"] = between["mean"]
            row[f"{key} +-"] = between["deviation"]
        row["train_s"] = [run["train_seconds"] for run in runs.values()]
        row["peak_gb"] = max(run["peak_memory_gb"] for run in runs.values())
        row["commits"] = sorted({run["commit"] for run in runs.values()})
        rows.append(row)
    return rows


def main(arguments):
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    make_place(arguments.json)
    runs = Path(arguments.runs).resolve()
    found = {way: {} for way in WAYS if way in (arguments.only or WAYS)}
    for seed in range(arguments.seeds):
        for way in found:
            run = runs / f"{way}-{seed}".replace(" ", "_")
            found[way][seed] = train(CONFIG, run, [f"seed={seed}", *WAYS[way]])
    rows = summary(found, found.get(DENSE, {}), "way", "dense")
    print(table(rows), file=sys.stderr)
    print(keep({"measured": rows} | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_integers(parser, [("seeds", 3, 1, "seeds a way")])
    parser.add_argument(
        "--only", action="append", choices=list(WAYS), help="a way; may be repeated"
    )
    parser.add_argument("--runs", default="runs/accuracy", help="folder of the runs")
    add_json(parser)
    main(parser.parse_args())
