"""Labels that a training never saw, added from a few documents.

    python -m benchmarks.accuracy.new_labels configs/quickstart.yaml \
        --json benchmarks/results/new_labels.json

Draws 500 labels with 5 to 50 documents of the training part. Trains the recipe once
with all labels, and once without the mentions of these, and adds them to the second
model: from all their documents, from three of each, and from their names alone, in
words. P@5 and recall of the new labels are over the documents of the test part that
have one, ranked among the new labels (P@5) and among all (recall at 10 and 100); P@5 of
the old labels is over all documents, ranked among the old ones, and `P@5` over all.
Metrics are in percent, seconds are those of `add_labels`. `share` is relative to the
model trained with all. `--set train_documents=2000 --labels 50` is a short form.
"""

import dataclasses
import os
import re
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
from xmc_keras import fit, load_config
from xmc_keras.cli.several_runs.sweep import add_settings
from xmc_keras.data.splits import read_part, split_documents
from xmc_keras.recommending.recommend import rank_labels

PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy", "scikit-learn")
LEAST, MOST, FEW = 5, 50, 3


def draw_labels(documents, count, seed=0):
    """Names of labels of `LEAST` to `MOST` documents, drawn at random."""
    counts = {}
    for names in documents.labels:
        for name in set(names):
            counts[name] = counts.get(name, 0) + 1
    known = sorted(name for name, x in counts.items() if LEAST <= x <= MOST)
    chosen = np.random.default_rng(seed).choice(
        len(known), min(count, len(known)), False
    )
    return [known[place] for place in sorted(chosen)]


def without(documents, names):
    """Documents without the mentions of labels, and without those that had no other."""
    gone = set(names)
    labels = [[name for name in own if name not in gone] for own in documents.labels]
    left = dataclasses.replace(documents, labels=labels)
    return left.subset([i for i, own in enumerate(labels) if own])


def examples_of(documents, names, most=None):
    """Texts of each label, at most `most`."""
    found = {name: [] for name in names}
    for text, own in zip(documents.texts, documents.labels):
        for name in own:
            if name in found and (most is None or len(found[name]) < most):
                found[name].append(text)
    return found


def measure(model, test, names):
    """Figures of a model on documents; `names` are the new labels."""
    ids, _ = rank_labels(model, test.texts)
    every, new = np.array(model.label_set.names, object), set(names)
    hits = dict.fromkeys(("all", "old", "new", "recall@10", "recall@100"), 0.0)
    mentions = documents = 0
    for row, own in zip(ids, test.labels):
        ranked, own = [every[i] for i in row if i >= 0], set(own)
        hits["all"] += len(own.intersection(ranked[:5])) / 5
        old = [name for name in ranked if name not in new][:5]
        hits["old"] += len(own.intersection(old)) / 5
        wanted = own & new
        if wanted:
            documents += 1
            mentions += len(wanted)
            first = [name for name in ranked if name in new][:5]
            hits["new"] += len(wanted.intersection(first)) / 5
            for k in (10, 100):
                hits[f"recall@{k}"] += len(wanted.intersection(ranked[:k]))
    sums = {"all": len(ids), "old": len(ids), "new": documents}
    found = {k: 100 * x / max(sums.get(k, mentions), 1) for k, x in hits.items()}
    return {
        "P@5": round(found["all"], 2),
        "P@5 old": round(found["old"], 2),
        "P@5 new": round(found["new"], 2),
        **{key: round(found[key], 1) for key in ("recall@10", "recall@100")},
    }


def in_words(name):
    """A name as a text: `works-with::text` is `works with text`."""
    return " ".join(re.split(r"[\W_]+", name)).strip() or name


def main(arguments):
    make_place(arguments.json)
    config = load_config(arguments.config, arguments.set or [])
    train, test = (read_part(config.data, part) for part in ("train", "test"))
    groups = config.validation_by
    if groups:
        train = read_part(config.data, "train", groups=groups)
    learnt, held_out = split_documents(config, len(train), train.groups)
    part, validation = train.subset(learnt), train.subset(held_out)
    names = draw_labels(part, arguments.labels)
    settings = {"progress": False, "learn_validation": False}
    whole = fit(config, part, validation, test, **settings)
    rows = [{"labels": "trained", **measure(whole.model, test, names)}]
    print(table(rows), file=sys.stderr)
    left, held = without(part, names), without(validation, names)
    base = fit(config, left, held, test, **settings)
    rows.append({"labels": "without", **measure(base.model, test, names)})
    replay = dataclasses.replace(left, weights=None, groups=None)
    given = {
        "all documents": examples_of(part, names),
        f"{FEW} documents": examples_of(part, names, FEW),
        "names alone": {name: [in_words(name)] for name in names},
    }
    for form, examples in given.items():
        begun = time.monotonic()
        model = base.model.add_labels(examples, replay, base.metrics)
        seconds = round(time.monotonic() - begun, 1)
        rows.append({"labels": form, **measure(model, test, names), "add_s": seconds})
        for key in ("P@5 new", "recall@100"):
            rows[-1][f"share {key}"] = round(rows[-1][key] / max(rows[0][key], 1e-9), 3)
        print(table(rows[-1:]), file=sys.stderr)
    found = {"config": Path(arguments.config).stem, "new_labels": len(names)}
    found |= {"set": arguments.set or [], "measured": rows}
    print(keep(found | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("accuracy.new_labels", __doc__)
    parser.add_argument("config", help="a recipe, such as configs/quickstart.yaml")
    add_settings(parser)
    add_integers(parser, [("labels", 500, 1, "new labels")])
    add_json(parser)
    main(parser.parse_args())
