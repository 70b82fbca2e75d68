"""Evaluate several runs as one model that ranks labels by their mean score.

    xmc ensemble runs/a runs/b runs/c
    xmc ensemble runs/a runs/b runs/c --weights validation
    xmc ensemble runs/a runs/b runs/c --output runs/ensemble
    xmc ensemble runs/a runs/b --texts T.txt --labels L.txt

For each document of the test part, or of the files --texts and --labels, every run
proposes its best labels, and every run scores all proposed labels. The runs may differ
in anything but the data that they were trained on: three encoders, three clusterings
(seed or cluster_seed), or both systems. The table shows each run, their mean, and the
ensemble.

With --output all metrics go to FOLDER/metrics.json, in the format of a run.

Scores are calibrated by the documents that no run was trained on: those held back by
validation_documents, which are the same in runs of one split_seed, and those that
train_documents left out. If these are too few, or a run has calibration: none, scores
stay as they are. With --weights validation the runs get the weights that are best on
the same documents. --threshold adds what accepting the labels with at least this score
gives; see xmc predict for its forms.

Export the ensemble as one SavedModel, with equal weights or with those that this
command prints; it is calibrated in the same way, and its threshold may have a target:

    xmc export runs/a runs/b runs/c exports/ensemble
    xmc export runs/a runs/b exports/ensemble --weights 0.6,0.4 --threshold f1
"""

import contextlib
import json
import logging
import shlex
from pathlib import Path

from xmc_keras.cli.arguments import add_documents, given_documents, write_output
from xmc_keras.cli.program import command_parser
from xmc_keras.cli.tables import metrics_table, selection_table
from xmc_keras.data.splits import read_part
from xmc_keras.evaluation.ensemble.evaluate_ensemble import evaluate_ensemble
from xmc_keras.evaluation.ensemble.find_untrained import common_groups, scores_may_stay
from xmc_keras.files.check_output import check_output
from xmc_keras.files.describe_folder import check_folder_for
from xmc_keras.files.path_lock import PathLock
from xmc_keras.recommending.thresholds.target import Target
from xmc_keras.runs.finished_runs import open_finished_runs
from xmc_keras.runs.read_test_part import read_test_part
from xmc_keras.runs.run_folder import MODELS

logger = logging.getLogger("ensemble")


def main(argv=None):
    parser = command_parser("ensemble", __doc__)
    parser.add_argument("runs", nargs="+", metavar="run", help="run folders")
    parser.add_argument("--output", metavar="FOLDER", help="keep metrics.json there")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier ensemble there"
    )
    parser.add_argument(
        "--weights",
        choices=("equal", "validation"),
        default="equal",
        help="weights of the runs (equal)",
    )
    add_documents(parser)
    parser.add_argument(
        "--threshold", metavar="TARGET", help="least score of an accepted label (none)"
    )
    parser.add_argument("--model", choices=MODELS, help="which of the runs' models")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    weigh = args.weights == "validation"
    if args.threshold is not None:
        args.threshold = Target.parse(args.threshold)
    given = given_documents(args, keep_data=True)
    runs = open_finished_runs(args.runs, least=2)
    for run in runs:
        run.model_path(args.model)
    with contextlib.ExitStack() as stack:
        if args.output:
            stack.enter_context(PathLock(args.output, "for metrics", "output"))
            check_folder(args.output, args.overwrite)
        test = read_test_part(runs[0], **given)
        train = read_training_part(runs, args, weigh)
        options = args.model, weigh, args.threshold
        metrics = evaluate_ensemble(runs, test, train, *options)
        text = json.dumps(metrics, indent=2)
        if args.output:
            path = Path(args.output, "metrics.json")
            write_output(path, text + "\n")
            logger.info("Saved %s", path)
    rows = {**metrics["members"], "mean member": metrics["mean member"]}
    print(text if args.json else metrics_table({**rows, "ensemble": metrics}))
    if args.threshold is not None and not args.json:
        print(selection_table(metrics["selection"]))
    if metrics["calibrated_on"]:
        before, after = (metrics[key] for key in ("ECE@5 before calibration", "ECE@5"))
        logger.info("ECE@5 %.2f, before calibration %.2f", after, before)
    command = export_command(args.runs, metrics["weights"], args.weights)
    logger.info("Export it: %s", command)


def read_training_part(runs, args, weigh):
    """The training part of runs; None if it is missing and not needed for weights."""
    with scores_may_stay(needed=weigh):
        data = runs[0].data_folder(args.data)
        groups = common_groups([run.config() for run in runs])
        return read_part(data, "train", args.skip_bad_lines, groups=groups)


def check_folder(folder, overwrite):
    """Raises `BadInput` if the metrics of an ensemble may not be written there."""
    check_folder_for(folder, "an ensemble", "output")
    check_output(Path(folder, "metrics.json"), overwrite)


def export_command(paths, weights, kind):
    """The command that exports the ensemble."""
    words = ["xmc", "export", *paths, "exports/ensemble"]
    if kind == "validation":
        words += ["--weights", ",".join(f"{weight:.4f}" for weight in weights)]
    return shlex.join(words)
