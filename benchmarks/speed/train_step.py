"""Seconds and memory of a training step in the shape of a large data set.

    python benchmarks/speed/train_step.py --json
    python benchmarks/speed/train_step.py --optimizer rowwise_sgd --precision mixed_bfloat16
    python benchmarks/speed/train_step.py --labels 0 --tokens 64 --torch .torch/bin/python

The default is Amazon-670K's shape (Tables 1 and 2 of the paper) on MiniLM-L6. Weights
of the heads, words and labels are random; time depends on neither. In turns with it
work the encoder alone, whose share is what is not `label_share`, the same model with
4,096 labels in 64 clusters, and, with --torch, LightXML in plain PyTorch
(`torch_side.py` says what to install). `step_s` is the median, with the quartiles;
`peak_gb` the most memory that the side's process had.
"""

import argparse
import json
import sys

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import add_integers, table
from benchmarks.shared.sides import spread, take_turns
from xmc_keras.encoders.pretrained import find_minilm

PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy")
SMALL = {"labels": 4096, "clusters": 64}


def sides_of(arguments, work="train", batch=None):
    """Name to program, shape and Python of each side."""
    names = ("labels", "clusters", "top_k", "bottleneck", "batch", "tokens")
    names += ("optimizer", "precision", "table_dtype", "encoder", "xla")
    names += ("labels_a_document", "recompute")
    shape = {name: getattr(arguments, name) for name in names} | {"work": work}
    shape["batch"] = batch or arguments.batch
    shape["encoder_folder"] = str(find_minilm())
    alone = shape | {"labels": 0, "clusters": 1, "top_k": 1}
    small = shape | SMALL | {"top_k": min(shape["top_k"], SMALL["clusters"])}
    found = {}
    if shape["labels"]:
        found["ours"] = "keras_side.py", shape, sys.executable
        found["4,096 labels"] = "keras_side.py", small, sys.executable
    found["encoder alone"] = "keras_side.py", alone, sys.executable
    if arguments.torch:
        if shape["labels"]:
            found["PyTorch"] = "torch_side.py", shape, arguments.torch
        found["PyTorch encoder"] = "torch_side.py", alone, arguments.torch
    return {k: v for k, v in found.items() if k not in arguments.without}


def summary(found, batch):
    """A row a side; ratios to `ours` where it took part, else to the encoder alone."""
    first = next(iter(found))
    base, _ = spread(found[first]["seconds"])
    rows = []
    for name, side in found.items():
        median, quartiles = spread(side["seconds"])
        row = {"side": name, "step_s": median, "quartiles_s": quartiles}
        row["documents_s"] = round(batch / median, 1)
        row["peak_gb"], row["first_s"] = side["peak_gb"], side["first_s"]
        row[f"{first} / it"] = round(base / median, 2)
        rows.append(row)
    return rows


def shape_of(arguments):
    """The arguments that figures depend on."""
    return {k: v for k, v in vars(arguments).items() if k not in ("json", "torch")}


def main(arguments):
    found = take_turns(sides_of(arguments), arguments.steps, arguments.turns)
    rows = summary(found, arguments.batch)
    by_name = {row["side"]: row for row in rows}
    record = {"shape": shape_of(arguments), "sides": rows}
    if {"ours", "encoder alone"} <= by_name.keys():
        share = 1 - by_name["encoder alone"]["step_s"] / by_name["ours"]["step_s"]
        record["label_share"] = round(share, 3)
    record |= circumstances(PACKAGES)
    print(json.dumps(record) if arguments.json else table(rows))


def parser_of(description):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = [
        ("labels", 670_091, 0),
        ("clusters", 8192, 1),
        ("top-k", 75, 1),
        ("bottleneck", 400, 1),
        ("batch", 16, 1),
        ("tokens", 128, 3),
        ("steps", 2, 1),
        ("turns", 5, 2),
    ]
    add_integers(parser, [(*size, "") for size in sizes])
    parser.add_argument("--labels-a-document", type=float, default=5.45, metavar="X")
    parser.add_argument(
        "--optimizer",
        choices=["rowwise_adamw", "partial_rowwise_adamw", "rowwise_sgd", "adamw"],
        default="rowwise_adamw",
        help="as in a config: of touched rows, or dense (rowwise_adamw)",
    )
    parser.add_argument(
        "--precision",
        choices=["float32", "mixed_bfloat16", "mixed_float16"],
        default="float32",
    )
    parser.add_argument(
        "--table-dtype", choices=["float32", "bfloat16"], default="float32"
    )
    parser.add_argument("--encoder", default="minilm", help="as in a config (minilm)")
    parser.add_argument("--recompute", action="store_true", help="as in a config")
    parser.add_argument("--xla", action="store_true", help="compile our step with XLA")
    parser.add_argument("--torch", metavar="PYTHON", help="with PyTorch")
    parser.add_argument(
        "--without", action="append", default=[], metavar="SIDE", help="leave one out"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser


if __name__ == "__main__":
    main(parser_of(__doc__).parse_args())
