"""The classifiers on 12,000 documents of Debian-24K, compared with the recipes.

    python -m benchmarks.accuracy.classifiers --json benchmarks/results/classifiers.json
    python -m benchmarks.accuracy.classifiers --only "LightDXMLClassifier()"

The documents are those of `configs/quickstart.yaml`. The recipes have 1,000 more to
validate on, the classifiers draw them from the 12,000. Metrics are in percent, on the
whole test part, by `evaluate` of the classifiers; seconds are those of `fit`, on top of
importing TensorFlow. Each is trained in a process of its own.
"""

import multiprocessing
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from xmc_keras import (
    LightDXMLClassifier,
    LightXMLClassifier,
    load_config,
    read_documents,
)
from xmc_keras.data.splits import split_documents

DATA = ROOT / "data/debian24k"
QUICKSTART, WORDS = "quickstart", "lightdxml_debian24k"
SIZES = {"train_documents": 12000, "validation_documents": 1000}
# Whether it gets the documents to validate on, too, and how it is made.
CLASSIFIERS = {
    f'LightXMLClassifier.from_recipe("{QUICKSTART}")': (
        True,
        lambda: LightXMLClassifier.from_recipe(QUICKSTART),
    ),
    'LightXMLClassifier("minilm", epochs=4)': (
        False,
        lambda: LightXMLClassifier("minilm", epochs=4),
    ),
    'LightXMLClassifier("minilm", epochs=4, words=False)': (
        False,
        lambda: LightXMLClassifier("minilm", epochs=4, words=False),
    ),
    f'LightDXMLClassifier.from_recipe("{WORDS}")': (
        True,
        lambda: LightDXMLClassifier.from_recipe(WORDS, settings=SIZES),
    ),
    "LightDXMLClassifier()": (False, LightDXMLClassifier),
}
METRICS = "P@1", "P@3", "P@5", "PSP@5"
PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy", "scikit-learn")


def measure(name, results):
    """Puts the metrics and seconds of a classifier into the queue `results`."""
    train, test = (read_documents(DATA, part) for part in ("train", "test"))
    everything, make = CLASSIFIERS[name]
    if not everything:
        config = load_config(QUICKSTART)
        train = train.subset(split_documents(config, len(train))[0])
    classifier = make().set_params(verbose=False)
    import xmc_keras.training.fit  # noqa: F401

    start = time.monotonic()
    classifier.fit(train.texts, train.labels)
    seconds = round(time.monotonic() - start, 1)
    metrics = classifier.evaluate(test.texts, test.labels)
    found = {key: round(metrics[key], 2) for key in METRICS}
    results.put({"classifier": name, **found, "fit_s": seconds})


def run(name):
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=measure, args=(name, results))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"error: {name} ended with status {process.exitcode}")
    return results.get()


def main(arguments):
    make_place(arguments.json)
    rows = []
    for name in CLASSIFIERS:
        if not arguments.only or name in arguments.only:
            rows.append(run(name))
            print(table(rows[-1:]), file=sys.stderr)
    print(keep({"measured": rows} | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("accuracy.classifiers", __doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=list(CLASSIFIERS),
        help="one classifier; may be given several times",
    )
    add_json(parser)
    main(parser.parse_args())
