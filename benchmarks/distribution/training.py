"""A recipe trained by workers of one core each, against one process with one core.

    python -m benchmarks.distribution.training configs/quickstart.yaml \
        --json benchmarks/results/workers.json

Runs `xmc fit` in one process on one core, and `xmc launch --workers 2` on two. P@k is
that of the test part, and `documents_s` the documents of all epochs by the seconds of
training alone, with validation and the start of the heads.
"""

import os
import subprocess
import sys
import tempfile
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
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.runs.run_folder import RunFolder

PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy")


def train(command, recipe, run, settings, cores):
    """Trains a recipe by a command of `xmc` on some cores; returns its figures."""
    arguments = [sys.executable, "-m", "xmc_keras.cli.program", *command, recipe]
    arguments += ["--run", str(run), "--overwrite"]
    for setting in settings:
        arguments += ["--set", setting]
    subprocess.run(
        arguments,
        cwd=ROOT,
        stdout=sys.stderr,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    folder = RunFolder(run)
    found = read_metrics(folder)
    documents = found["train_documents"] * folder.config().epochs
    return {
        **{f"P@{k}": round(found[f"P@{k}"], 2) for k in (1, 3, 5)},
        "documents_s": round(documents / found["train_seconds"], 1),
        "train_s": found["train_seconds"],
        "seconds": found["seconds"],
    }


def main(arguments):
    make_place(arguments.json)
    cores = sorted(os.sched_getaffinity(0))[: arguments.workers]
    launch = ["launch", "--workers", str(arguments.workers)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for command, own in ((["fit"], cores[:1]), (launch, cores)):
            figures = train(
                command,
                arguments.recipe,
                Path(folder, command[0]),
                arguments.set,
                own,
            )
            rows.append({"processes": len(own), **figures})
    speed = rows[1]["documents_s"] / rows[0]["documents_s"]
    print(table(rows), file=sys.stderr)
    found = {"recipe": Path(arguments.recipe).stem, "set": arguments.set}
    found |= {"measured": rows, "times_as_fast": round(speed, 2)}
    print(keep(found | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("distribution.training", __doc__)
    parser.add_argument("recipe", help="a recipe, such as configs/quickstart.yaml")
    add_integers(parser, [("workers", 2, 2, "processes, of one core each")])
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as in xmc fit"
    )
    add_json(parser)
    main(parser.parse_args())
