"""Transformers of finished runs, alone and joined with a model of words.

    python -m benchmarks.accuracy.joined RUN RUN --json benchmarks/results/joined.json

Each `RUN` is that of a LightXML or one-vs-all without `words`. Its transformer is
joined as `words: true` does it after training, by the validation split of the run, and
both are evaluated on the test part. Metrics are in percent; seconds are those of
joining, on top of training.
"""

import os
import sys
import time
import types
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
from xmc_keras import RunFolder, evaluate
from xmc_keras.data.splits import read_part, split_documents
from xmc_keras.training.systems.join_words import join_words
from xmc_keras.training.task import Task, Trained

METRICS = "P@1", "P@3", "P@5", "PSP@5"
PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy", "scikit-learn")


def measure(path, data=None):
    """Two rows of figures: the transformer of a run, and the hybrid of it."""
    run = RunFolder(path)
    config, folder = run.config(), run.data_folder(data)
    train, test = (read_part(folder, part, True) for part in ("train", "test"))
    model = run.load_model()
    learnt, held_out = split_documents(config, len(train))
    task = Task(
        config=config,
        everything=train,
        train=train.subset(learnt),
        validation=train.subset(held_out),
        learn_validation=True,
        label_set=model.label_set,
        run=None,
        continued=False,
        any_memory=True,
        callbacks=(),
        progress=False,
    )
    trained = Trained(
        model=model,
        checkpoint=types.SimpleNamespace(seconds=0.0),
        history=[],
        vectorizer=None,
        label_features=None,
        found={"validation": {}},
    )
    begun = time.monotonic()
    hybrid = join_words(task, trained).model
    seconds = round(time.monotonic() - begun, 1)
    rows = []
    for name, one in (("alone", model), ("joined", hybrid)):
        metrics = evaluate(one, test, train=train, config=config)
        found = {key: round(metrics[key], 2) for key in METRICS}
        rows.append({"data": Path(folder).name, "model": name, **found})
        rows[-1]["ms a document"] = metrics["predict_ms_a_document"]
    rows[-1]["join_s"] = seconds
    return rows


def main(arguments):
    make_place(arguments.json)
    rows = []
    for path in arguments.runs:
        found = measure(path, arguments.data)
        rows += found
        print(table(found), file=sys.stderr)
    print(keep({"measured": rows} | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("accuracy.joined", __doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--data", help="folder of the data, if it was moved")
    add_json(parser)
    main(parser.parse_args())
