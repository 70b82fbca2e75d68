"""Evaluate a run: P@k, nDCG@k, PSP@k, PSnDCG@k, recall@k and F1@5.

    xmc evaluate runs/debian24k
    xmc evaluate runs/debian24k --json
    xmc evaluate runs/debian24k --texts T.txt --labels L.txt
    xmc evaluate runs/debian24k --score label
    xmc evaluate runs/debian24k --threshold f1

Without --texts and --labels it evaluates on the test part of the run's data, found from
any working directory, also if run and data were moved together. The propensities are
always those of the training part. If the data has a test_filter.txt (xmc prepare makes
one from the filter file of a set of the Extreme Classification Repository), its labels
are removed from the relevant and the predicted labels of their document, and the next
predictions move up; --filter does the same for --texts.
With --json it prints recall@k, too, for each k up to the number of labels that the run
predicts (num_predictions), and F1@5, averaged over documents, as Annif computes it.

--threshold adds what accepting the labels with at least this score gives: micro and
macro F1, precision and recall, the share of answered documents and of those with a
right label, and labels a document. See xmc predict for its forms.

--score ranks by another score than the run's own (score in its config). Training does
not depend on it, so that one run is enough to compare both.
"""

import json

from xmc_keras.cli.arguments import add_documents, given_documents
from xmc_keras.cli.program import command_parser
from xmc_keras.cli.tables import metrics_table, selection_table
from xmc_keras.evaluation.evaluate_run import check_score, evaluate_run
from xmc_keras.recommending.thresholds.target import Target
from xmc_keras.runs.read_test_part import read_test_part
from xmc_keras.runs.run_folder import MODELS, RunFolder


def main(argv=None):
    parser = command_parser("evaluate", __doc__)
    parser.add_argument("run", help="a run folder, for example runs/quickstart")
    add_documents(parser)
    parser.add_argument("--model", choices=MODELS, help="which of the run's models")
    parser.add_argument(
        "--score",
        choices=["product", "label"],
        help="rank LightXML's labels by the product with their cluster's probability, "
        "or by their own probability alone",
    )
    parser.add_argument(
        "--threshold", metavar="TARGET", help="least score of an accepted label (none)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    given = given_documents(args)
    run = RunFolder(args.run)
    config = run.config()
    check_score(run, args.score)
    if args.threshold is not None:
        args.threshold = Target.parse(args.threshold)
    run.model_path(args.model)
    documents = read_test_part(run, **given)
    metrics = evaluate_run(run, documents, args.model, args.score, args.threshold)
    if args.json:
        print(json.dumps(metrics))
    else:
        print(metrics_table({config.title: metrics}))
        if args.threshold is not None:
            print(selection_table(metrics["selection"]))
