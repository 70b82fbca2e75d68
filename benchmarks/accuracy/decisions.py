"""Calibration and thresholds of finished runs, on the test part of their data.

    python -m benchmarks.accuracy.decisions RUN --json FILE

For each run: P@1, P@3 and P@5 and the expected calibration error of the five best
labels, in percent, by the scores before calibration and after; the same error of
frequent and rare labels; and for each target of a threshold, chosen on the validation
split, what accepting the labels above it gives on the test part (`measure_selection`).
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import (
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from xmc_keras import HeldOutAnswers, RunFolder, choose_thresholds, measure_selection
from xmc_keras.evaluation.report.calibration import report_calibration
from xmc_keras.evaluation.report.run_predictions import predict_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.metrics.ranking_metrics import precision_at_k
from xmc_keras.runs.read_test_part import read_test_part

TARGETS = (
    *("precision=0.9", "precision=0.9/band", "precision=0.7", "hit=0.9", "hit=0.8"),
    *("recall=0.5", "f1", "f1/band", "f1/label", "macro_f1", "cost=1"),
)
PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy", "scikit-learn")


def measure(path, data=None):
    """Rows of calibration, and rows of selections, of a run."""
    run = RunFolder(path)
    config, model = run.config(), run.load_model()
    documents = read_test_part(run, data=data)
    relevant = model.label_set.encode(documents.labels)
    known = relevant[:, : len(model.label_set)]
    predictions = predict_documents(model, documents, known, config)
    kinds = {"before": predictions.own_scores, "after": predictions.scores}
    ranked = {
        name: HeldOutAnswers(predictions.label_ids, scores, relevant)
        for name, scores in kinds.items()
    }
    name = Path(path).resolve().name
    errors = {
        group: errors
        for group, _, *errors in report_calibration(
            predictions, relevant, run.label_counts()[0]
        ).groups
    }
    calibrations = []
    for place, (kind, answers) in enumerate(ranked.items()):
        row = {"run": name, "calibration": kind}
        for k in (1, 3, 5):
            share = precision_at_k(answers.label_ids[:, :k], relevant, k)
            row[f"P@{k}"] = round(100 * share, 2)
        for group, found in errors.items():
            row[f"ECE@5 {group.partition(':')[0]}"] = round(found[place], 2)
        calibrations.append(row)
    selections = []
    for target in TARGETS:
        row = {"run": name, "target": target}
        try:
            thresholds = choose_thresholds(model, target)
        except BadInput as error:
            selections.append(row | {"refused": error.message})
            continue
        found = measure_selection(ranked["after"], thresholds)
        selections.append(row | {key: round(x, 2) for key, x in found.items()})
    return calibrations, selections


def main(arguments):
    make_place(arguments.json)
    calibrations, selections = [], []
    for path in arguments.runs:
        found = measure(path, arguments.data)
        calibrations += found[0]
        selections += found[1]
    reached = [row for row in selections if "refused" not in row]
    print(f"{table(calibrations)}\n\n{table(reached)}", file=sys.stderr)
    figures = {"calibration": calibrations, "selections": selections}
    print(keep(figures | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("accuracy.decisions", __doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--data", help="folder of the data, if it was moved")
    add_json(parser)
    main(parser.parse_args())
