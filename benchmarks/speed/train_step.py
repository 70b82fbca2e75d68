"""Time and memory of a training step in the shape of a large data set.

    python -m benchmarks.speed.train_step --json
    python -m benchmarks.speed.train_step --precision mixed_bfloat16
    python -m benchmarks.speed.train_step --labels 0 --torch .torch/bin/python
    python -m benchmarks.speed.train_step --system one_vs_all --table-dtype bfloat16

The default is the shape of Amazon-670K (Tables 1 and 2 of the paper) on MiniLM-L6. The
heads' weights, the words and the labels are random; time depends on none of them. Other
sides take turns with it: the encoder alone, whose share is the rest of `label_share`;
the same model with 4,096 labels in 64 clusters; and, with --torch, LightXML in plain
PyTorch (`torch_side.py` says how to install it). --labels 0 measures encoders only.
`step_s` is the median, next to the quartiles; `peak_gb` is the peak memory of the
side's process.

With --system one_vs_all the first side is a one-vs-all with SGD for its table, another
one is the LightXML above with its defaults, and the encoder is that of one-vs-all.
"""

import json
import sys

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import add_integers, benchmark_parser, table
from benchmarks.shared.sides import spread, take_turns
from xmc_keras.encoders.pretrained import find_minilm

PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy")
KERAS, TORCH = "benchmarks.shared.keras_side", "benchmarks.shared.torch_side"
SMALL = {"labels": 4096, "clusters": 64}
OPTIMIZERS = {"lightxml": "rowwise_adamw", "one_vs_all": "rowwise_sgd"}
LIGHTXML = {"system": "lightxml", "optimizer": "rowwise_adamw"}
LIGHTXML["table_dtype"] = "float32"


def sides_of(arguments, work="train", batch=None):
    """Dictionary from the name of each side to its module, shape and Python."""
    names = ("labels", "clusters", "top_k", "bottleneck", "batch", "tokens")
    names += ("system", "optimizer", "precision", "table_dtype", "encoder", "xla")
    names += ("labels_a_document", "recompute")
    shape = {name: getattr(arguments, name) for name in names} | {"work": work}
    shape["optimizer"] = shape["optimizer"] or OPTIMIZERS[shape["system"]]
    shape["batch"] = batch or arguments.batch
    shape["encoder_folder"] = str(find_minilm())
    alone = shape | {"labels": 0, "clusters": 1, "top_k": 1}
    small = shape | SMALL | {"top_k": min(shape["top_k"], SMALL["clusters"])}
    found = {}
    if shape["labels"]:
        found["ours"] = KERAS, shape, sys.executable
        if shape["system"] == "lightxml":
            found["4,096 labels"] = KERAS, small, sys.executable
        else:
            found["LightXML"] = KERAS, shape | LIGHTXML, sys.executable
    found["encoder alone"] = KERAS, alone, sys.executable
    if arguments.torch:
        if shape["labels"]:
            found["PyTorch"] = TORCH, shape, arguments.torch
        found["PyTorch encoder"] = TORCH, alone, arguments.torch
    return {k: v for k, v in found.items() if k not in arguments.without}


def summary(found, batch):
    """A row for each side, with the ratio of the first side's time to its own."""
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
    """The arguments that the figures depend on."""
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


def parser_of(module, description):
    """The parser of this program and of `predict.py`."""
    parser = benchmark_parser(module, description)
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
    parser.add_argument("--system", choices=list(OPTIMIZERS), default="lightxml")
    parser.add_argument("--labels-a-document", type=float, default=5.45, metavar="X")
    parser.add_argument(
        "--optimizer",
        choices=["rowwise_adamw", "partial_rowwise_adamw", "rowwise_sgd", "adamw"],
        help="as in a config; adamw is dense (rowwise_adamw, or rowwise_sgd)",
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
    parser.add_argument("--xla", action="store_true", help="compile our steps with XLA")
    parser.add_argument("--torch", metavar="PYTHON", help="with PyTorch installed")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="SIDE",
        help="leave one out",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    return parser


if __name__ == "__main__":
    main(parser_of("speed.train_step", __doc__).parse_args())
