"""Export a run as a version of a SavedModel: raw text in, label names and scores out.

    python export/saved_model.py runs/debian24k exports/debian24k
    python export/saved_model.py runs/debian24k exports/debian24k -k 10 --precision int8
    python export/saved_model.py runs/a runs/b runs/c exports/ensemble

The last argument is the model's base folder, as TensorFlow Serving and export/serve.py
take it; the version goes to a folder of it whose name is the version's number. Several
runs become one ensemble, which averages their scores, with --weights by what each shall
count (trainers/ensemble.py finds weights on the validation split). Signatures:
serving_default, top_k, score and embed; export/README.md tells what they take and give.
A run that was trained on features instead of texts takes features.

Before the version takes its place it is loaded as a server loads it and compared with
the run on texts of its test part. A version that fails is not kept.
"""

import argparse
import dataclasses
import logging
import signal
import sys

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.program import command_parser
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.runs.run_folder import MODELS, RunFolder
from xmc_keras.serving.version.model_card import CARD_KEYS
from xmc_keras.serving.version.version_folder import choose_version, new_version

logger = logging.getLogger("export")

# Texts of the test part to compare on. With fewer bits labels are counted, which takes
# more of them than comparing scores.
CHECKED, CHECKED_BITS = 64, 1000


def main(argv=None):
    parser = command_parser("export", __doc__)
    parser.add_argument("runs", nargs="+", metavar="run", help="run folders")
    parser.add_argument("output", help="base folder of the model's versions")
    parser.add_argument(
        "-k", "--k", type=int, default=5, help="labels that serving_default gives (5)"
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="how label tables are stored (float32); int8 is a quarter of the size",
    )
    parser.add_argument(
        "--encoder-precision",
        choices=("float32", "float16"),
        default="float32",
        help="how encoder and cluster scorer are stored (float32); float16 is half of "
        "their size, and turning it back takes time in every request, though none to "
        "speak of with the words of LightDXML",
    )
    parser.add_argument(
        "--weights",
        type=numbers,
        metavar="W,W,...",
        help="what each run of an ensemble counts, only shares matter (all alike)",
    )
    parser.add_argument("--version", type=int, help="number of the version (the next)")
    parser.add_argument("--model", choices=MODELS, help="which of the runs' models")
    args = parser.parse_args(argv)
    # An export that is told to stop leaves nothing behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    runs = [RunFolder(path) for path in args.runs]
    if args.weights is not None and len(args.weights) != len(runs):
        raise BadInput(
            f"Expected as many --weights as runs, {len(runs)}. Received: "
            f"{len(args.weights)}."
        )
    described = [describe(run, args.model) for run in runs]
    version = choose_version(args.output, args.version)
    most = min(map(most_labels, described))
    if not 1 <= args.k <= most:
        raise BadInput(
            f"Expected --k between 1 and {most}, the labels that the run ranks for a "
            f"text. Received: {args.k}."
        )
    with new_version(args.output, version) as path:
        export(args, runs, described, path)
    logger.info("Exported version %d to %s", version, args.output)


def export(args, runs, described, path):
    """Writes a version into the folder `path` and checks it there."""
    import tensorflow as tf

    try:
        from xmc_keras.serving.version.warm_up import (
            make_warm_up_requests,
            write_warm_up,
        )
    except ImportError as error:
        raise BadInput(
            "Expected the packages of serving. Received: none "
            f"({error}). Run: pip install '.[serve]'"
        ) from None
    from xmc_keras.serving.graph.float32_model import convert_to_float32
    from xmc_keras.serving.graph.module_class import choose_module_class
    from xmc_keras.serving.version.check_export import check_export
    from xmc_keras.serving.version.documents_to_check import (
        LONG_TEXT,
        choose_documents,
        predict_names,
    )
    from xmc_keras.serving.version.model_card import write_model_card

    # It would make scores depend on how texts are batched, in the third digit.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    models = []
    for run in runs:
        logger.info("Loading %s", run.path)
        models.append(convert_to_float32(run.load_model(args.model)))
    stored = args.precision, args.encoder_precision
    serving_module = choose_module_class(models)
    module = serving_module(models, args.k, *stored, weights=args.weights)
    coarsest = min(stored, key=("int8", "float16", "float32").index)
    most = CHECKED if coarsest == "float32" else CHECKED_BITS
    documents = choose_documents(runs[0], models[0], most)
    several = documents[:8]
    if isinstance(documents, list):
        several = [*documents[:7], LONG_TEXT]

    logger.info(
        "Writing %d labels, their table in %s, other weights in %s",
        *(len(module.labels), *stored),
    )
    signatures = module.signatures()
    told = {
        name: " ".join(function.python_function.__doc__.split())
        for name, function in signatures.items()
    }
    try:
        tf.saved_model.save(module, str(path), signatures)
        names = module.labels.names.numpy()
        requests = make_warm_up_requests(
            *map(module.inputs_of, (documents[:1], several)), names[:2]
        )
        write_warm_up(requests, path)
        extra = path / "assets.extra"
        (extra / "labels.txt").write_bytes(b"".join(name + b"\n" for name in names))
        card = write_model_card(described, told, *stored, args.weights)
        (extra / "model_card.md").write_text(card, encoding="utf-8")
    except (OSError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(
            f"Expected to write a SavedModel. Received: {reason:.300}. Free disk space "
            "or choose another folder.",
            args.output,
        ) from None

    inputs = module.inputs_of(documents)
    if len(models) == 1:
        expected = predict_names(models[0], documents, args.k)
    else:
        # In float32.
        whole = serving_module(models, args.k, weights=args.weights)
        ask = whole.signatures()["serving_default"]
        answer = ask(**{name: tf.constant(value) for name, value in inputs.items()})
        expected = [
            [(name.decode("utf-8"), score) for name, score in zip(*row) if name]
            for row in zip(answer["labels"].numpy(), answer["scores"].numpy())
        ]
    logger.info("Checking it on %d documents", len(expected))
    agreement = check_export(path, inputs, expected, coarsest)
    logger.info(
        "It answers as %s: the same best labels for %.1f%% of them",
        *("the run does" if len(runs) == 1 else "the ensemble does", 100 * agreement),
    )


def numbers(text):
    """Weights, of which only the shares count: numbers with commas between."""
    found = [float(part) for part in text.split(",")]
    if not all(0 <= number < float("inf") for number in found) or not sum(found):
        raise argparse.ArgumentTypeError(
            f"expected numbers of at least 0, not all 0: {text}"
        )
    return found


def most_labels(described):
    """The labels that a run ranks for a text, as far as its config tells."""
    config = described["config"]
    return min(described["num_labels"], config["num_predictions"])


def describe(run, model):
    """What the model card says of a run; BadInput for one that is not finished."""
    config = run.config()
    metrics = read_metrics(run, CARD_KEYS)
    return {
        "name": run.path.resolve().name,
        "config": dataclasses.asdict(config),
        # Those of the model that a run gives when none is named.
        "metrics": metrics if model in (None, MODELS[0]) else None,
        "num_labels": len(run.label_set()),
    }
