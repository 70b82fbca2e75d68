r"""Estimate the memory, disk space and steps of a run, and, if asked, its hours.

    xmc plan data/debian24k
    xmc plan debian24k
    xmc plan amazon670k --labels 670091 --documents 490449
    xmc plan debian24k --measure
    xmc plan lightdxml_amazon670k --labels 670091 --documents 490449 --features 135909
    xmc plan amazon670k --labels 670091 --set batch_size=128 --workers 8
    xmc plan amazon670k --labels 670091 --set batch_size=128 --workers 8 --shard-labels

It says whether the run fits this machine, or its GPU; if not, which settings help and
by how much, with status 1. GB are 10^9 bytes. The module docstrings in
xmc_keras/training/planning/ list what is counted; texts and clustering need memory in
addition. --measure takes some real training steps and prints the hours of a run
(without validation) and the memory that they used.

With --workers, such as GPUs, memory is that of one of them, which has its part of each
batch, and the last table is what it receives from the others in a training step: the
gradients of whole weights, and the rows of tables that the others' documents have. With
--shard-labels the label table is dealt out, its gradients stay where they are, and
features, candidates and logits are exchanged. All of it is calculated.
"""

import json
import logging
import sys
from pathlib import Path

from xmc_keras.cli.arguments import add_config, add_skip_bad_lines, groups_file
from xmc_keras.cli.program import command_parser
from xmc_keras.cli.tables import align_columns
from xmc_keras.config.config_file import load_config
from xmc_keras.config.recipes import find_recipe
from xmc_keras.data.check_documents import (
    check_labels_known,
    check_split,
    check_trainable,
)
from xmc_keras.data.label_texts import add_label_documents, find_label_texts
from xmc_keras.data.splits import has_part, read_part, split_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.text.languages import warn_of_language
from xmc_keras.training.memory import measure_free_memory
from xmc_keras.training.planning.check_memory import give_advice
from xmc_keras.training.planning.describe_plan import check_plan_limits, describe_plan
from xmc_keras.training.planning.make_plan import make_plan

logger = logging.getLogger("plan")

SIZES = {
    "labels": "number of labels, to plan without the data",
    "documents": "number of training documents, without the data",
    "features": "words in the vocabulary of lightdxml, without the data (max_features)",
    "words": "words per document on average, without the data (75)",
}


def main(argv=None):
    parser = command_parser("plan", __doc__)
    add_config(parser)
    for name, help in SIZES.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=help)
    parser.add_argument(
        "--measure",
        type=int,
        nargs="?",
        const=8,
        metavar="STEPS",
        help="take this many training steps, then as many that are timed (8)",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="split batches among N (1)"
    )
    parser.add_argument(
        "--shard-labels",
        action="store_true",
        help="deal the label table out over the workers",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_skip_bad_lines(parser)
    args = parser.parse_args(argv)
    check_sizes(args)
    path, config = find_recipe(args.config), None
    if args.labels is not None or not path.is_dir():
        config = load_config(args.config, args.set)
    if config is not None and args.labels is None:
        check_data(config)
    room = measure_free_memory()

    if args.labels is not None:
        sizes = args.labels, args.documents, args.features, args.words
        plan, documents = make_plan(config, None, *sizes, **workers_of(args, config))
    else:
        folder = path if config is None else config.data
        groups = groups_file(config, args.set)
        train, label_set = read_train(folder, args.skip_bad_lines, groups)
        if config is None:
            from xmc_keras.config.choose_config import choose_config  # imported late

            config, _ = choose_config(train, args.set, room)
        plan, documents = make_plan(config, train, **workers_of(args, config))
        if config.encoder != "words":
            warn_of_language(config.encoder, train.texts)
    try:
        check_plan_limits(plan)
        if args.labels is None:
            parts = split_documents(plan.config, len(train), train.groups)
            check_split(*map(train.subset, parts), label_set)
            if plan.config.label_documents:
                texts = find_label_texts(train).label_texts
                add_label_documents(train, texts, label_set)
    except BadInput as error:
        raise error.at(args.config) from None
    report = describe_plan(plan, room)
    if args.measure and report["fits"]:
        if config.system != "lightdxml":
            from xmc_keras.training.planning.measure_transformer import (
                measure_transformer as measure,
            )
        else:
            from xmc_keras.training.planning.measure_lightdxml import (
                measure_lightdxml as measure,
            )

        logger.info("Taking %d training steps, twice", args.measure)
        report["measured"] = measure(plan, documents, args.measure)
    print(json.dumps(report) if args.json else format_report(plan, room, report))
    if not report["fits"]:
        sys.exit(1)


def read_train(folder, skip_bad_lines, groups=None):
    """Reads the training part and its labels; checks both parts as `xmc fit` does.

    Memory and time of a run do not depend on the test part, which may still be missing.
    """
    train = read_part(folder, "train", skip_bad_lines, groups=groups)
    check_trainable(train)
    label_set = LabelSet.from_labels(train.labels)
    if has_part(folder, "test"):
        width = getattr(train, "num_features", None)
        test = read_part(folder, "test", skip_bad_lines, width)
        check_labels_known(test, label_set)
    return train, label_set


def workers_of(args, config):
    """The arguments of `make_plan` about workers."""
    shard = args.shard_labels or config.shard_labels
    return {"workers": args.workers, "shard_labels": shard and args.workers > 1}


def check_sizes(args):
    """Raises `BadInput` for sizes below 1, or without what they need."""
    if args.workers < 1:
        raise BadInput("Expected --workers to be at least 1.")
    if args.shard_labels and args.workers == 1:
        raise BadInput("Expected --shard-labels with --workers of at least 2.")
    if args.measure is not None and args.workers > 1:
        raise BadInput(
            "Expected --measure without --workers: it takes the steps of one. "
            "Received: both."
        )
    if args.measure is not None and args.measure < 1:
        raise BadInput("Expected --measure to be at least 1.")
    for name in SIZES:
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise BadInput(f"Expected --{name} to be at least 1.")
    for name in ("documents", "features", "words"):
        if getattr(args, name) and not args.labels:
            raise BadInput(f"Expected --labels with --{name}. Received: no --labels.")


def check_data(config):
    """Raises `BadInput` if there is no folder of data."""
    if config.data is None or not Path(config.data).is_dir():
        raise BadInput(
            "Expected the folder of the data, or its --labels and --documents. "
            "Received: no such folder.",
            config.data,
        )


def format_report(plan, room, report):
    """Formats the report as tables for reading."""
    columns = [report[key] for key in ("parameters", "weights_gb", "moments_gb")]
    parts = [[part, *(c[part] for c in columns)] for part in columns[0]]
    parts.append(["together", *(sum(column.values()) for column in columns)])
    constant = {
        "process": report["process_gb"],
        "weights": parts[-1][2],
        "moments": parts[-1][3],
        "averages": report["averages_gb"],
        "TF-IDF": report["matrix_gb"],
    }
    constant = {
        name: size for name, size in constant.items() if size or name == "averages"
    }
    unit = plan.WIDTH[1]
    grid = report["training_step_gb"]
    blocks = [
        plan.about + format_worker(report),
        format_table(["", "parameters", "weights GB", "moments GB"], parts),
        format_table(["a training step", "GB"], (constant | report["step_gb"]).items()),
        format_table(["at most", "GB"], report["phases_gb"].items()),
        format_table(
            ["a training step, GB", *(f"{n} {unit}" for n in grid[next(iter(grid))])],
            [[f"batch of {batch}", *row.values()] for batch, row in grid.items()],
        ),
        format_table(["on disk", "GB"], report["disk_gb"].items()),
        *format_workers(report),
        format_verdict(plan, room, report),
    ]
    return "\n\n".join(blocks)


def format_worker(report):
    """Says which part of a batch a worker has, if there are several."""
    if "workers" not in report:
        return ""
    number, documents = report["workers"], report["worker_documents"]
    words = "document" if documents == 1 else "documents"
    text = f"\none of {number:,} workers, with {documents:,} {words} of a batch"
    return text + (" and its part of the label table" * report["shard_labels"])


def format_workers(report):
    """The table of what a worker receives, if there are several."""
    if "workers" not in report:
        return []
    sizes = report["received_mb"]
    rows = [*sizes.items(), ("together", sum(sizes.values()))]
    return [format_table(["received in a training step", "MB"], rows)]


def format_verdict(plan, room, report):
    """Says whether the run fits, and how long it takes if it was measured."""
    available = report["room_gb"]
    whose = " for a worker" if "workers" in report else ""
    lines = [
        f"Memory of the {place}{whose}: {size:.1f} GB needed, "
        f"{available[place]:.1f} GB free."
        for place, size in report["needs_gb"].items()
    ]
    if not report["fits"]:
        lines += ["The run does not fit.", give_advice(plan, room)]
    elif plan.fits({place: 0.9 * size for place, size in room.items()}):
        lines.append("The run fits.")
    else:
        lines.append("The run fits, but only just: the estimate may be 10 % off.")
    if "measured" in report:
        measured = report["measured"]
        sizes = measured["peak_gb"].items()
        peak = ", ".join(f"{n:.2f} GB of the {place}" for place, n in sizes)
        lines.append(f"Measured: {measured['step_s']:.3f} s per training step, {peak}.")
        if "hours" in measured:
            lines.append(f"Training takes {measured['hours']:.2f} hours at that rate.")
        if "shortlists_hours" in measured:
            hours = measured["shortlists_hours"]
            lines.append(f"{hours:.2f} hours of it are exact search for shortlists.")
    return "\n".join(lines)


def format_table(head, rows):
    """Formats rows of texts and numbers as a table."""
    return align_columns(
        [head, *([format_cell(value) for value in row] for row in rows)]
    )


def format_cell(value):
    """Formats a text or a number."""
    if isinstance(value, float):
        return f"{value:.2f}"
    return value if isinstance(value, str) else f"{value:,}"
