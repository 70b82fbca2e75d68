"""Corrections that a run learns: whether it is right afterwards, and on other texts.

    python -m benchmarks.accuracy.learning RUN --json benchmarks/results/learning.json

Corrections are documents that the run never learnt from, on which its first label is
wrong: of the training part what `train_documents` left out, or else of a random half of
the test part. `right` is the share of them whose first label applies, before and
afterwards, `near` the same of a third of the wrong documents that are held back, and
the other figures are of the test part, or of its other half. All are in percent.
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from xmc_keras import RunFolder
from xmc_keras.data.splits import read_part, split_documents
from xmc_keras.recommending.recommend import rank_labels
from xmc_keras.runs.changes.old_documents import read_old_documents
from xmc_keras.runs.finished_runs import read_metrics

PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy", "scikit-learn")


def precisions(model, documents):
    """P@1, P@3 and P@5 on documents, in percent, and whether each first is right."""
    ids, _ = rank_labels(model, documents.texts)
    names = model.label_set.names
    hits = np.array(
        [
            [i >= 0 and names[i] in own for i in row[:5]]
            for row, own in zip(ids, map(set, documents.labels))
        ]
    )
    found = {f"P@{k}": round(100 * hits[:, :k].mean(), 2) for k in (1, 3, 5)}
    return found, hits[:, 0]


def main(arguments):
    make_place(arguments.json)
    run, random = RunFolder(arguments.run), np.random.default_rng(0)
    config, folder = run.config(), run.data_folder(arguments.data)
    train = read_part(folder, "train", groups=config.validation_by)
    test = read_part(folder, "test")
    used = np.concatenate(split_documents(config, len(train), train.groups))
    rest = random.permutation(np.setdiff1d(np.arange(len(train)), used))
    if len(rest) >= 10 * arguments.corrections:
        unseen = train.subset(rest[: 10 * arguments.corrections])
    else:
        order = random.permutation(len(test))
        unseen, test = (test.subset(np.sort(x)) for x in np.array_split(order, 2))
    model = run.load_model()
    _, right = precisions(model, unseen)
    wrong = np.flatnonzero(~right)
    near = unseen.subset(wrong[2::3][: arguments.corrections])
    taken = np.setdiff1d(wrong, wrong[2::3])[: arguments.corrections]
    corrections = unseen.subset(taken)
    replay = read_old_documents(run, arguments.data)
    begun = time.monotonic()
    learnt = model.learn(
        corrections.texts, corrections.labels, replay, read_metrics(run)
    )
    seconds = round(time.monotonic() - begun, 1)
    rows = []
    for name, each in (("before", model), ("learnt", learnt)):
        row = {"model": name, **precisions(each, test)[0]}
        row["right"] = precisions(each, corrections)[0]["P@1"]
        row["near"] = precisions(each, near)[0]["P@1"]
        rows.append(row)
    print(table(rows), file=sys.stderr)
    rows[-1]["learn_s"] = seconds
    found = {"run": Path(arguments.run).name, "corrections": len(corrections)}
    found["measured"] = rows
    print(keep(found | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("accuracy.learning", __doc__)
    parser.add_argument("run", help="a finished run")
    parser.add_argument("--data", help="folder of the data, if it was moved")
    add_integers(parser, [("corrections", 1000, 1, "documents to learn")])
    add_json(parser)
    main(parser.parse_args())
