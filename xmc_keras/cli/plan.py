r"""What a run will need, before it begins: memory, disk, steps and, if asked, hours.

    python trainers/plan.py configs/debian24k.yaml
    python trainers/plan.py configs/amazon670k.yaml --labels 670091 --documents 490449
    python trainers/plan.py configs/debian24k.yaml --measure
    python trainers/plan.py configs/lightdxml_amazon670k.yaml --labels 670091 \
        --documents 490449 --features 135909

It says whether the run fits this machine, or its GPU; if not, which settings help and
by how much, with status 1. GB are of 10^9 bytes. What the figures are made of stands
in xmc_keras/training/planning/; texts and clustering come on top. --measure takes some
real training steps and tells the hours of a run (validation left out) and the memory
that it had.
"""

import json
import logging
import sys

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.arguments import add_config
from xmc_keras.cli.program import command_parser
from xmc_keras.cli.tables import align_columns
from xmc_keras.config.config_file import load_config
from xmc_keras.training.memory import measure_free_memory
from xmc_keras.training.planning.check_memory import find_remedies, give_advice
from xmc_keras.training.planning.make_plan import add_sizes, check_sizes, make_plan

logger = logging.getLogger("plan")


def main(argv=None):
    parser = command_parser("plan", __doc__)
    add_config(parser)
    add_sizes(parser)
    parser.add_argument(
        "--measure",
        type=int,
        nargs="?",
        const=8,
        metavar="STEPS",
        help="take so many training steps, then as many that are timed (8)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    if args.measure is not None and args.measure < 1:
        raise BadInput("Expected --measure to be at least 1.")
    check_sizes(args)
    config = load_config(args.config, args.set)
    room = measure_free_memory()

    plan, documents = make_plan(config, args)
    check(plan, args.config)
    report = describe(plan, room)
    if args.measure and report["fits"]:
        if config.system == "lightxml":
            from xmc_keras.training.planning.measure_lightxml import (
                measure_lightxml as measure,
            )
        else:
            from xmc_keras.training.planning.measure_lightdxml import (
                measure_lightdxml as measure,
            )

        logger.info("Taking %d training steps, twice", args.measure)
        report["measured"] = measure(plan, documents, args.measure)
    print(json.dumps(report) if args.json else text(plan, room, report))
    if not report["fits"]:
        sys.exit(1)


def check(plan, path):
    """BadInput where config, encoder and data do not go together."""
    config, encoder, limits = plan.config, plan.encoder, []
    if encoder is not None:
        limits = [
            ("max_tokens", encoder.max_sequence_length, "positions of the encoder"),
            ("num_feature_layers", encoder.num_layers, "layers of the encoder"),
        ]
    if config.system == "lightxml" and config.max_leaf > 1:
        limits.append(("top_k", plan.clusters[0], "label clusters"))
    if plan.num_documents is not None:
        most = plan.num_documents - 1
        limits.append(("validation_documents", most, "training documents less one"))
    for key, most, what in limits:
        if getattr(config, key) > most:
            raise BadInput(
                f"Expected {key} to be at most the {what}, {most}. "
                f"Received: {getattr(config, key)}.",
                path,
            )


def describe(plan, room):
    """All figures, as one dictionary for JSON; sizes in GB."""
    config, gpu = plan.config, "GPU" in room
    fits = plan.fits(room)
    helpful = [] if fits else find_remedies(plan, room)
    batches = {max(1, config.batch_size // 2), config.batch_size, 2 * config.batch_size}
    key, _, least = plan.WIDTH
    widths = {max(least, getattr(config, key) // n) for n in (4, 2, 1)}
    return {
        "labels": plan.num_labels,
        **plan.sizes,
        "documents": plan.num_documents,
        "steps": plan.steps,
        "parameters": plan.parameters,
        "weights_gb": in_gb(plan.weights),
        "moments_gb": in_gb(plan.moments),
        "process_gb": plan.process / 1e9,
        "averages_gb": plan.averages / 1e9,
        "matrix_gb": plan.matrix / 1e9,
        "step_gb": in_gb(plan.step),
        "phases_gb": in_gb(plan.phases),
        "training_step_gb": {
            batch: in_gb(
                {
                    width: plan.changed(batch_size=batch, **{key: width}).phases[
                        "training step"
                    ]
                    for width in sorted(widths)
                }
            )
            for batch in sorted(batches)
        },
        "disk_gb": in_gb(plan.disk),
        "needs_gb": in_gb(plan.needs(gpu)),
        "room_gb": in_gb(room),
        "fits": fits,
        "remedies": [c | {"needs_gb": in_gb(p.needs(gpu))} for c, p in helpful],
    }


def in_gb(sizes):
    return {name: size / 1e9 for name, size in sizes.items()}


def text(plan, room, report):
    """The same for people."""
    columns = [report[key] for key in ("parameters", "weights_gb", "moments_gb")]
    parts = [[part, *(c[part] for c in columns)] for part in columns[0]]
    parts.append(["together", *(sum(column.values()) for column in columns)])
    held = {
        "process": report["process_gb"],
        "weights": parts[-1][2],
        "moments": parts[-1][3],
        "averages": report["averages_gb"],
        "TF-IDF": report["matrix_gb"],
    }
    held = {name: size for name, size in held.items() if size or name == "averages"}
    unit = plan.WIDTH[1]
    grid = report["training_step_gb"]
    blocks = [
        plan.about,
        table(["", "parameters", "weights GB", "moments GB"], parts),
        table(["a training step", "GB"], (held | report["step_gb"]).items()),
        table(["at most", "GB"], report["phases_gb"].items()),
        table(
            ["a training step, GB", *(f"{n} {unit}" for n in grid[next(iter(grid))])],
            [[f"batch of {batch}", *row.values()] for batch, row in grid.items()],
        ),
        table(["on disk", "GB"], report["disk_gb"].items()),
        verdict(plan, room, report),
    ]
    return "\n\n".join(blocks)


def verdict(plan, room, report):
    there = report["room_gb"]
    lines = [
        f"Needed of the {place}: {needed:.1f} GB, available {there[place]:.1f} GB."
        for place, needed in report["needs_gb"].items()
    ]
    if not report["fits"]:
        lines += ["The run does not fit.", give_advice(plan, room)]
    elif plan.fits({place: 0.9 * size for place, size in room.items()}):
        lines.append("The run fits.")
    else:
        lines.append("The run fits, but only just: this is right to a tenth or so.")
    if "measured" in report:
        found = report["measured"]
        peak = ", ".join(f"{n:.2f} GB of the {p}" for p, n in found["peak_gb"].items())
        lines.append(f"Measured: {found['step_s']:.3f} s a training step, {peak}.")
        if "hours" in found:
            lines.append(f"Training takes {found['hours']:.2f} hours at that rate.")
        if "shortlists_hours" in found:
            hours = found["shortlists_hours"]
            lines.append(f"Of these are {hours:.2f} for shortlists by exact search.")
    return "\n".join(lines)


def table(head, rows):
    """Rows of texts and numbers as lines."""
    return align_columns([head, *([cell(value) for value in row] for row in rows)])


def cell(value):
    if isinstance(value, float):
        return f"{value:.2f}"
    return value if isinstance(value, str) else f"{value:,}"
