"""Time from importing the package to the first answer of a classifier.

    python -m benchmarks.speed.first_answer --json benchmarks/results/first_answer.json

Each round is a new process that imports a classifier, trains it with its defaults on
the first 300 documents of Debian-24K, and asks it for the labels of one text. Seconds
are by the clock, medians of the rounds: `import` of `import xmc_keras`, `fit` and
`recommend` of these calls, `total` from the start of the process to the answer.
"""

import json
import os
import statistics
import subprocess
import sys
import time

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)

CLASSIFIERS = "LightXMLClassifier", "LightDXMLClassifier"
PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy", "scikit-learn")
PROGRAM = """
import json, time
times = [time.monotonic()]
import xmc_keras
times.append(time.monotonic())
train = xmc_keras.read_documents("data/debian24k", "train")
texts, labels = train.texts[:{documents}], train.labels[:{documents}]
times.append(time.monotonic())
model = xmc_keras.{classifier}(verbose=False).fit(texts, labels)
times.append(time.monotonic())
answer = model.recommend(["A puzzle game for the desktop"], k=3)
times.append(time.monotonic())
print(json.dumps([answer, times]))
"""


def measure(classifier, documents):
    """Seconds of the steps of a program of its own."""
    program = PROGRAM.format(classifier=classifier, documents=documents)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    start = time.monotonic()  # the clock is the same in all processes
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    answer, times = json.loads(done.stdout.splitlines()[-1])
    assert len(answer[0]) == 3
    begun, imported, read, fitted, answered = times
    return {
        "import": imported - begun,
        "read": read - imported,
        "fit": fitted - read,
        "recommend": answered - fitted,
        "total": answered - start,
    }


def main(arguments):
    make_place(arguments.json)
    rounds = [
        {name: measure(name, arguments.documents) for name in CLASSIFIERS}
        for _ in range(arguments.rounds)
    ]
    rows = [
        {"classifier": name}
        | {
            step: round(statistics.median(found[name][step] for found in rounds), 3)
            for step in rounds[0][name]
        }
        for name in CLASSIFIERS
    ]
    print(table(rows), file=sys.stderr)
    figures = {"documents": arguments.documents, "rounds": arguments.rounds}
    figures |= circumstances(PACKAGES) | {"measured": rows}
    print(keep(figures, arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("speed.first_answer", __doc__)
    options = [("documents", 300, 1, "to train on"), ("rounds", 3, 1, "new processes")]
    add_integers(parser, options)
    add_json(parser)
    main(parser.parse_args())
