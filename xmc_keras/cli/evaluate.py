"""Evaluate a run: P@k, nDCG@k, PSP@k, PSnDCG@k and recall@k.

    python trainers/evaluate.py runs/debian24k
    python trainers/evaluate.py runs/debian24k --json
    python trainers/evaluate.py runs/debian24k --texts T.txt --labels L.txt
    python trainers/evaluate.py runs/debian24k --score label

Without --texts and --labels on the test part of the run's data. Propensities are
those of the training part, whatever is evaluated. Where the data has a test_filter.txt
(trainers/prepare.py makes one of the filter file of a set of the Extreme Classification
Repository), its labels are taken out of what is relevant for their document and of what
was predicted, and the next ones move up; so is --filter beside --texts. recall@k is
given for each k up to the labels that the run predicts (num_predictions).

--score ranks by another score than the run's own (score in its config), which training
does not depend on: no second run is needed to compare the two.
"""

import json
import logging
import time

import numpy as np

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.program import command_parser
from xmc_keras.data.check_reads import check_reads_texts
from xmc_keras.data.documents import check_labels_known, read_pair
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.data.splits import read_part
from xmc_keras.metrics.filtered_ranking import filter_ranking
from xmc_keras.metrics.inverse_propensity import inverse_propensity
from xmc_keras.metrics.ranking_metrics import ranking_report, recall_at_k
from xmc_keras.runs.run_folder import MODELS, RunFolder

logger = logging.getLogger("evaluate")

NAMES = {"lightxml": "LightXML", "lightdxml": "LightDXML"}


def main(argv=None):
    parser = command_parser("evaluate", __doc__)
    parser.add_argument("run", help="a run folder, for example runs/quickstart")
    parser.add_argument("--texts", help="file of one document a line")
    parser.add_argument("--labels", help="file of their labels, separated by spaces")
    parser.add_argument(
        "--filter",
        help="file of labels that are left out for each document, likewise; lines may "
        "be empty",
    )
    parser.add_argument("--model", choices=MODELS, help="which of the run's models")
    parser.add_argument(
        "--score",
        choices=["product", "label"],
        help="rank LightXML's labels by the product with their cluster's probability, "
        "or by their own alone",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="leave bad lines out and count them, instead of stopping; labels that "
        "training never saw count as relevant and unreachable",
    )
    args = parser.parse_args(argv)
    if bool(args.texts) != bool(args.labels):
        raise BadInput("Expected --texts and --labels together. Received: one of them.")
    if args.filter and not args.texts:
        raise BadInput(
            "Expected --filter beside --texts and --labels. Received: --filter alone. "
            "That of the test part is test_filter.txt in the data's folder."
        )
    run = RunFolder(args.run)
    config = run.config()
    if args.score and config.system != "lightxml":
        raise BadInput(
            "Expected a run of system: lightxml beside --score. Received: "
            f"{config.system}. Leave --score out.",
            run.path,
        )
    if args.score and config.max_leaf == 1:
        raise BadInput(
            "Expected a run with a ranker beside --score. Received: max_leaf: 1, where "
            "a label is a cluster and has one score. Leave --score out.",
            run.path,
        )
    label_set, width = run.label_set(), run.num_features()
    if args.texts:
        check_reads_texts(run)
        paths = args.texts, args.labels
        documents = read_pair(*paths, args.skip_bad_lines, args.filter)
    else:
        documents = read_part(config.data, "test", args.skip_bad_lines, width)
    check_labels_known(documents, label_set, args.skip_bad_lines)
    filtered = encode_filtered_labels(documents, label_set)

    model = run.load_model(args.model)
    if args.score:
        model.score = args.score
    from xmc_keras.data.inputs import build_inputs

    batches = build_inputs(config, run, model, documents.texts)
    relevant = label_set.encode(documents.labels)
    weight = propensities(config, run, relevant)
    metrics = evaluate(model, batches, relevant, weight, filtered)
    metrics["skipped_lines"] = documents.skipped
    print(json.dumps(metrics) if args.json else table({NAMES[config.system]: metrics}))


def propensities(config, run, relevant):
    """Inverse propensities of all columns of `relevant`; unseen labels count 0."""
    counts, num_documents = run.label_counts()
    counts = np.pad(counts, (0, relevant.shape[1] - len(counts)))
    a, b = config.propensity_a, config.propensity_b
    return inverse_propensity(counts, num_documents, a, b)


def evaluate(model, batches, relevant, weight, filtered=None):
    """Metrics in percent of a model's ranking of the documents in `batches`."""
    begun = time.monotonic()
    logger.info("Evaluating on %d documents", relevant.shape[0])
    # A LightDXML knows its labels itself.
    num_labels = getattr(model, "num_labels", None) or model.generator.num_labels
    top = batches.restore(model.predict(batches.dataset(), verbose=0)["label_ids"])
    seconds = time.monotonic() - begun
    return measures(top, relevant, weight, num_labels, seconds, filtered)


def measures(top, relevant, weight, num_labels, seconds, filtered=None):
    """Metrics in percent of a ranking `top` (documents, n) that took `seconds`.

    What `filtered` is, and what becomes of it, tells `filter_ranking`.
    """
    kept = filter_ranking(top, filtered)
    if filtered is not None:
        dropped = np.count_nonzero(top >= 0) - np.count_nonzero(kept >= 0)
        logger.info("%d predictions left out by the filter", dropped)
    return {
        **ranking_report(kept, relevant, weight),
        **recalls(kept, relevant),
        "filtered_pairs": 0 if filtered is None else filtered.nnz,
        "documents": relevant.shape[0],
        "labels": num_labels,
        "predict_seconds": round(seconds, 1),
        "predict_ms_a_document": round(1000 * seconds / relevant.shape[0], 2),
    }


def recalls(top, relevant):
    """recall@10 and recall@100 in percent, where as many labels were predicted."""
    ks = [k for k in (10, 100) if k <= top.shape[1]]
    return {f"recall@{k}": 100 * recall_at_k(top, relevant, k) for k in ks}


def table(rows):
    """Metrics of several systems as lines of text, a system a line."""
    keys = [f"{m}@{k}" for m in ("P", "nDCG", "PSP") for k in (1, 3, 5)]
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"{key:>8}" for key in keys)]
    for name, metrics in rows.items():
        cells = "".join(f"{metrics[key]:8.2f}" for key in keys)
        lines.append(name.ljust(width) + cells)
    return "\n".join(lines)
