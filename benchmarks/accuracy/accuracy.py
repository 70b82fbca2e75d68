"""Accuracy of the fast ways to train against dense float32, over several seeds.

    python -m benchmarks.accuracy.accuracy --json benchmarks/results/accuracy.json
    python -m benchmarks.accuracy.accuracy --seeds 1 --only "row-wise Adam" --only XLA

Each way is `configs/quickstart.yaml` (12,000 documents of Debian-24K) with one or two
settings changed, trained by `xmc fit` with the seeds 0, 1 and so on. A seed also draws
the documents, so ways are compared on the same ones. P@k is in percent on the whole
test part; `vs dense` is the mean difference, paired by seed. Runs are kept in --runs
and not trained again, so the program can be stopped and started again at any time. A
row lists the commits that trained it.
"""

import logging
import sys
from pathlib import Path

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from xmc_keras.cli.several_runs.sweep import PRECISION, train_run
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.compare_seeds import difference, mean_and_deviation

CONFIG = ROOT / "configs/quickstart.yaml"
DENSE = "dense float32"
WAYS = {
    DENSE: ["optimizer=adamw"],
    "row-wise Adam": [],
    "bfloat16 table": ["table_dtype=bfloat16"],
    # Padded to one length, because XLA compiles each length separately.
    "XLA": ["jit_compile=true", "pad_multiple=32"],
    "one second moment a row": ["optimizer=partial_rowwise_adamw"],
    "mixed_bfloat16": ["precision=mixed_bfloat16"],
    "mixed_float16": ["precision=mixed_float16"],
    "SGD": ["optimizer=rowwise_sgd", "label_learning_rate=5"],
}
PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy")


def train(config, run, settings):
    """Metrics of a run; trains or resumes it unless it is finished."""
    commit, there = run / "commit.txt", (run / "metrics.json").exists()
    try:
        metrics = train_run(config, run, settings, ROOT)
    except BadInput as error:
        sys.exit(f"error: {run.name} ended early: {error}")
    if not there:
        commit.write_text(circumstances(())["commit"])
    return metrics | {"commit": commit.read_text().strip()}


def summary(found, first, kind, called):
    """A row for each entry of `found`, which has metrics by seed.

    Args:
        found: dictionary from names to dictionaries from seeds to metrics.
        first: dictionary from seeds to metrics. What the others are compared with.
        kind: string. Name of the first column.
        called: string. What columns call `first`, as in "P@1 vs dense".
    """
    rows = []
    for name, runs in found.items():
        row = {kind: name, "seeds": len(runs)}
        for key in PRECISION:
            values, base = (
                {s: run[key] for s, run in f.items()} for f in (runs, first)
            )
            of_seeds = mean_and_deviation(list(values.values()))
            row[key], row[f"{key} deviation"] = of_seeds["mean"], of_seeds["deviation"]
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
    parser = benchmark_parser("accuracy.accuracy", __doc__)
    add_integers(parser, [("seeds", 3, 1, "seeds per way")])
    parser.add_argument(
        "--only",
        action="append",
        choices=list(WAYS),
        help="one way; may be given several times",
    )
    parser.add_argument(
        "--runs", default="runs/accuracy", help="folder of the runs (runs/accuracy)"
    )
    add_json(parser)
    main(parser.parse_args())
