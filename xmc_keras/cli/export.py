"""Export a run as a version of a SavedModel: raw text in, label names and scores out.

    xmc export runs/debian24k exports/debian24k
    xmc export runs/debian24k exports/debian24k -k 10 --precision int8
    xmc export runs/a runs/b runs/c exports/ensemble

The last argument is the model's base folder, as TensorFlow Serving and xmc serve take
it; the version is a folder within it whose name is the version's number. Several runs
become one ensemble, which averages their scores, weighted by --weights (xmc ensemble
finds weights on the validation split) and calibrated by documents of their training
part that no run was trained on, if there are enough. Signatures: serving_default,
top_k, select, score and embed; the documentation lists their inputs and outputs. A run
that was trained on features instead of texts takes features.

Before the version appears in the folder, it is loaded as a server loads it and compared
with the run on texts of its test part. A version that fails is not kept.
"""

import argparse
import signal
import sys

from xmc_keras.cli.arguments import add_data
from xmc_keras.cli.program import command_parser
from xmc_keras.runs.run_folder import MODELS, RunFolder
from xmc_keras.serving.export import export_runs


def main(argv=None):
    parser = command_parser("export", __doc__)
    parser.add_argument("runs", nargs="+", metavar="run", help="run folders")
    parser.add_argument("output", help="base folder of the model's versions")
    parser.add_argument(
        "-k",
        "--k",
        type=int,
        help="labels that serving_default returns (5, or all if there are fewer)",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="storage type of label tables (float32); int8 is a quarter of the size",
    )
    parser.add_argument(
        "--encoder-precision",
        choices=("float32", "float16"),
        default="float32",
        help="storage type of encoder and cluster scorer (float32); float16 halves "
        "their size, but converting it back takes time in every request, though hardly "
        "any with the words of LightDXML",
    )
    parser.add_argument(
        "--weights",
        type=parse_weights,
        metavar="W,W,...",
        help="weights of the runs of an ensemble, only shares matter (equal)",
    )
    parser.add_argument(
        "--threshold",
        metavar="TARGET",
        help="least score of the labels of the signature select: a score, or what it "
        "is chosen for on the validation split, see xmc predict (f1; without "
        "calibration 0.5)",
    )
    parser.add_argument("--version", type=int, help="number of the version (the next)")
    add_data(parser)
    parser.add_argument("--model", choices=MODELS, help="which of the runs' models")
    args = parser.parse_args(argv)
    # Raises SystemExit, so that a terminated export leaves nothing behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    export_runs(
        [RunFolder(path) for path in args.runs],
        args.output,
        k=args.k,
        precision=args.precision,
        encoder_precision=args.encoder_precision,
        weights=args.weights,
        version=args.version,
        threshold=args.threshold,
        model=args.model,
        data=args.data,
    )


def parse_weights(text):
    """Parses the weights of runs, numbers separated by commas."""
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError:
        weights = []
    if not any(weights) or not all(0 <= weight < float("inf") for weight in weights):
        raise argparse.ArgumentTypeError(
            f"expected numbers of at least 0, not all 0, separated by commas: {text}"
        )
    return weights
