"""Accuracy of exported models by the precision of their weights.

    python -m benchmarks.accuracy.export_accuracy runs/quickstart
    python -m benchmarks.accuracy.export_accuracy RUN --documents 6775 --json FILE

The model of a run is exported in each precision and predicts five labels for documents
of its test part. `same labels` is the share of documents with the same five labels as
in float32, in any order. P@5 and PSP@5 are computed on these documents.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.export_forms import FORMS, save_form
from benchmarks.shared.figures import (
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from xmc_keras.files.bad_input import BadInput

PACKAGES = ("tensorflow", "tensorflow-text", "keras", "keras-nlp", "numpy")


def ranked(model, form, texts, label_set, folder):
    """Top label ids (documents, 5) of a model exported in a form."""
    from xmc_keras.serving.server.served_model import ServedModel

    path = folder / "-".join(form)
    save_form(model, path, form)
    served = ServedModel(path)
    encoded = np.array([text.encode("utf-8") for text in texts], object)
    labels = served.predict({"text": encoded})["labels"]
    served.close()
    return np.array([[label_set.id(x.decode("utf-8")) for x in row] for row in labels])


def main(arguments):
    make_place(arguments.json)
    from xmc_keras.data.documents import read_documents
    from xmc_keras.evaluation.evaluate import compute_propensities
    from xmc_keras.metrics.ranking_metrics import ranking_report
    from xmc_keras.runs.run_folder import RunFolder

    run = RunFolder(arguments.run)
    config, label_set = run.config(), run.label_set()
    documents = read_documents(config.data, "test", skip_bad_lines=True)
    documents = documents.subset(range(min(arguments.documents, len(documents))))
    relevant = label_set.encode(documents.labels)
    weight = compute_propensities(*run.label_counts(), relevant.shape[1], config)
    found = {"run": run.path.resolve().name, "documents": len(documents)}
    found |= circumstances(PACKAGES)
    model, rows, exact = run.load_model(), [], None
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            print(f"Exporting {', '.join(form)}", file=sys.stderr, flush=True)
            top = ranked(model, form, documents.texts, label_set, Path(folder))
            exact = top if exact is None else exact
            same = [set(a) == set(b) for a, b in zip(top.tolist(), exact.tolist())]
            report = ranking_report(top, relevant, weight)
            rows.append(
                {
                    "table": form[0],
                    "other weights": form[1],
                    "same labels": round(100 * float(np.mean(same)), 2),
                    **{key: round(report[key], 2) for key in ("P@1", "P@5", "PSP@5")},
                }
            )
    found["measured"] = rows
    print(table(rows))
    keep(found, arguments.json)


if __name__ == "__main__":
    parser = benchmark_parser("accuracy.export_accuracy", __doc__)
    parser.add_argument("run", help="a finished run folder")
    parser.add_argument(
        "--documents", type=int, default=1000, help="the first N (1000)", metavar="N"
    )
    add_json(parser)
    try:
        main(parser.parse_args())
    except BadInput as error:
        parser.exit(2, f"error: {error}\n")
