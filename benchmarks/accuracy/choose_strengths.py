"""Strengths of new rows and of corrections, chosen by validation documents.

    python -m benchmarks.accuracy.choose_strengths configs/quickstart.yaml \
        --json benchmarks/results/strengths.json

Trains a recipe without the mentions of 500 labels, and changes the model with the
strengths of `RowPrior` and `RowCorrections` multiplied by several factors. Half of the
validation documents are for `fit` and for corrections, those whose first label is
wrong; all figures are of the other half, so that the test part stays unseen. Chosen
are, with `*`:

- of new labels, the factor with the best P@5 over all labels;
- of corrections, the factor with most of them right that costs at most 0.2 of P@5.

`--set train_documents=2000 --labels 50` is a short form.
"""

import contextlib
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.accuracy.learning import precisions
from benchmarks.accuracy.new_labels import (
    draw_labels,
    examples_of,
    measure,
    without,
)
from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from xmc_keras import fit, load_config
from xmc_keras.cli.several_runs.sweep import add_settings
from xmc_keras.data.splits import read_part, split_documents
from xmc_keras.labels import row_corrections, row_prior

PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy", "scikit-learn")
FACTORS = (0.25, 0.5, 1, 2, 4)
MOST_LOST = 0.2  # of P@5


@contextlib.contextmanager
def strengths(module, factor):
    """Scope in which the strengths of a module's problems are multiplied."""
    solve = module.solve_logistic

    def solve_scaled(x, targets, weights, offsets, strength):
        return solve(x, targets, weights, offsets, factor * strength)

    module.solve_logistic = solve_scaled
    try:
        yield
    finally:
        module.solve_logistic = solve


def mark_best(rows, key, able=lambda row: True):
    """Marks the row with the largest value of a key, among those that are able."""
    able = [row for row in rows if able(row)]
    best = max(able, key=lambda row: row[key], default=None)
    return [{**row, "chosen": "*" if row is best else ""} for row in rows]


def main(arguments):
    make_place(arguments.json)
    config = load_config(arguments.config, arguments.set or [])
    train = read_part(config.data, "train", groups=config.validation_by)
    learnt, held_out = split_documents(config, len(train), train.groups)
    order = np.random.default_rng(0).permutation(held_out)
    halves = [train.subset(np.sort(half)) for half in np.array_split(order, 2)]
    part = train.subset(learnt)
    names = draw_labels(part, arguments.labels)
    replay, known = without(part, names), without(halves[0], names)
    settings = {"progress": False, "learn_validation": False}
    base = fit(config, replay, known, **settings)
    model, unseen = base.model, halves[1]

    new = []
    examples = examples_of(part, names)
    for factor in FACTORS:
        with strengths(row_prior, factor):
            changed = model.add_labels(examples, replay, base.metrics)
        new.append({"factor": factor, **measure(changed, unseen, names)})
        print(table(new[-1:]), file=sys.stderr)
    new = mark_best(new, "P@5")

    before, right = precisions(model, known)
    corrections = known.subset(np.flatnonzero(~right)[: arguments.corrections])
    before = precisions(model, unseen)[0]
    learning = []
    for factor in FACTORS if len(corrections) else ():
        with strengths(row_corrections, factor):
            changed = model.learn(
                corrections.texts, corrections.labels, replay, base.metrics
            )
        row = {"factor": factor, **precisions(changed, unseen)[0]}
        row["right"] = precisions(changed, corrections)[0]["P@1"]
        learning.append(row)
        print(table(learning[-1:]), file=sys.stderr)
    least = before["P@5"] - MOST_LOST
    learning = mark_best(learning, "right", lambda row: row["P@5"] >= least)

    found = {"config": Path(arguments.config).stem, "set": arguments.set or []}
    found |= {"new_labels": len(names), "corrections": len(corrections)}
    found |= {"before": before, "rows": new, "learning": learning}
    print(*map(table, filter(None, (new, learning))), sep="\n\n", file=sys.stderr)
    print(keep(found | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("accuracy.choose_strengths", __doc__)
    parser.add_argument("config", help="a recipe, such as configs/quickstart.yaml")
    add_settings(parser)
    add_integers(
        parser,
        [
            ("labels", 500, 1, "new labels"),
            ("corrections", 1000, 1, "documents to learn"),
        ],
    )
    add_json(parser)
    main(parser.parse_args())
