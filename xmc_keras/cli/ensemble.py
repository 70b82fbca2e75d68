"""Evaluate several runs as one: labels of all of them, ranked by their mean score.

    python trainers/ensemble.py runs/a runs/b runs/c
    python trainers/ensemble.py runs/a runs/b runs/c --weights validation
    python trainers/ensemble.py runs/a runs/b runs/c --output runs/ensemble

For each document of the test part every run offers its best labels, a label that
several offer counts once, and every run scores all of them. The runs may differ in
anything but the data that they were trained on: three encoders, three clusterings (seed
or cluster_seed), or both systems. The table has each run, their mean, and the ensemble.

With --output all of it goes to FOLDER/metrics.json, in the form of a run's.

With --weights validation the runs count by what ranks documents best that no run was
trained on: those held back by validation_documents, the same ones in runs of one
split_seed, and those that train_documents left out.

Export the ensemble as one SavedModel, as all runs alike or with the weights that this
program prints:

    python export/saved_model.py runs/a runs/b runs/c exports/ensemble
    python export/saved_model.py runs/a runs/b exports/ensemble --weights 0.6,0.4
"""

import json
import logging
import shlex
import statistics
import time
from pathlib import Path

import numpy as np

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.arguments import check_output, write_output
from xmc_keras.cli.evaluate import measures, propensities, table
from xmc_keras.cli.program import command_parser
from xmc_keras.data.documents import check_labels_known
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.data.split_documents import split_documents
from xmc_keras.data.splits import read_part
from xmc_keras.runs.finished_runs import name_runs, open_finished_runs
from xmc_keras.runs.run_folder import MODELS

logger = logging.getLogger("ensemble")

# Weights that fewer documents choose are chosen by chance.
LEAST = 20


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
        help="what each run counts (equal)",
    )
    parser.add_argument("--model", choices=MODELS, help="which of the runs' models")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="leave bad lines out and count them, instead of stopping; as in training",
    )
    args = parser.parse_args(argv)
    runs = open_finished_runs(args.runs, least=2)
    if args.output:
        check_folder(args.output, args.overwrite)
    config, label_set = runs[0].config(), runs[0].label_set()
    width = runs[0].num_features()
    test = read_part(config.data, "test", args.skip_bad_lines, width)
    check_labels_known(test, label_set, args.skip_bad_lines)
    filtered = encode_filtered_labels(test, label_set)
    held_out = None
    if args.weights == "validation":
        everything = read_part(config.data, "train", args.skip_bad_lines)
        runs[0].check_data(everything)
        configs = [run.config() for run in runs]
        held_out = everything.subset(trained_by_none(configs, len(everything)))

    # TensorFlow takes seconds to come up: what is wrong so far is told before.
    from xmc_keras.evaluation.ensemble.ensemble_ranking import (
        average_scores,
        rank_together,
        unite_labels,
    )
    from xmc_keras.evaluation.ensemble.member_weights import choose_member_weights

    models = [run.load_model(args.model) for run in runs]
    names, weights = name_runs(runs), [1 / len(runs)] * len(runs)
    if held_out is not None:
        logger.info("Weights by %d documents that no run learnt from", len(held_out))
        members, _ = ask(runs, models, held_out.texts)
        labels = unite_labels([member.label_ids for member in members]).numpy()
        scores = [member.scores_of(labels) for member in members]
        weights = choose_member_weights(
            labels, scores, label_set.encode(held_out.labels)
        )

    relevant = label_set.encode(test.labels)
    weight = propensities(config, runs[0], relevant)
    begun = time.monotonic()
    members, seconds = ask(runs, models, test.texts)
    top, _ = rank_together(
        [member.label_ids for member in members],
        lambda labels: average_scores([m.scores_of(labels) for m in members], weights),
        min(member.label_ids.shape[1] for member in members),
    )
    taken = time.monotonic() - begun
    against = relevant, weight, len(label_set)
    metrics = measures(top.numpy(), *against, taken, filtered)
    found = {
        name: measures(member.label_ids, *against, took, filtered)
        for name, member, took in zip(names, members, seconds)
    }
    mean = {key: statistics.mean(row[key] for row in found.values()) for key in metrics}
    metrics.update(
        skipped_lines=test.skipped,
        propensity_a=config.propensity_a,
        propensity_b=config.propensity_b,
        runs=[str(run.path) for run in runs],
        weights=weights,
        weighing_documents=0 if held_out is None else len(held_out),
        members=found,
    )
    metrics["mean member"] = mean
    text = json.dumps(metrics, indent=2)
    if args.output:
        path = Path(args.output, "metrics.json")
        write_output(path, text + "\n")
        logger.info("Saved %s", path)
    rows = {**found, "mean member": mean, "ensemble": metrics}
    print(text if args.json else table(rows))
    logger.info("Export it: %s", export_command(args.runs, weights, args.weights))


def check_folder(folder, overwrite):
    """Raises BadInput if the metrics of an ensemble may not be put there."""
    if Path(folder, "config.yaml").exists():
        raise BadInput(
            "Expected a folder for the ensemble. Received: that of a run, whose "
            "metrics.json would be lost. Choose another with --output.",
            folder,
        )
    check_output(Path(folder, "metrics.json"), overwrite)


def trained_by_none(configs, num_documents):
    """Indices of documents of the training part that no run learnt from.

    Args:
        configs: list of `Config`, of each run.
        num_documents: int. Documents of the training part.

    Returns:
        Sorted int64 array, of at most as many as the largest validation split.
    """
    free = np.arange(num_documents)
    for config in configs:
        trained_by_one, _ = split_documents(config, num_documents)
        free = np.setdiff1d(free, trained_by_one)
    if len(free) < LEAST:
        raise BadInput(
            f"Expected a validation split of {LEAST} documents or more that no run was "
            f"trained on, to choose weights by. Received: {len(free)}. Train runs of "
            "one split_seed, or leave --weights out."
        )
    most = max(config.validation_documents for config in configs)
    drawn = np.random.default_rng(configs[0].seed).permutation(free)
    return np.sort(drawn[:most])


def ask(runs, models, texts):
    """`MemberScores` of each run for some texts, and the seconds that each took."""
    from xmc_keras.data.inputs import build_inputs
    from xmc_keras.evaluation.ensemble.member_scores import MemberScores

    members, seconds = [], []
    for run, model in zip(runs, models):
        logger.info("Asking %s about %d documents", run.path, len(texts))
        begun = time.monotonic()
        members.append(
            MemberScores(model, build_inputs(run.config(), run, model, texts))
        )
        seconds.append(time.monotonic() - begun)
    return members, seconds


def export_command(paths, weights, kind):
    words = ["python", "export/saved_model.py", *paths, "exports/ensemble"]
    if kind == "validation":
        words += ["--weights", ",".join(f"{weight:.4f}" for weight in weights)]
    return shlex.join(words)
