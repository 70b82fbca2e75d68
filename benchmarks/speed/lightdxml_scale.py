"""LightDXML in the shape of Amazon-670K: time of each phase, and peak memory.

    python -m benchmarks.speed.lightdxml_scale
    python -m benchmarks.speed.lightdxml_scale --search hnsw --steps 0 --json scale.json

One cycle of configs/lightdxml_amazon670k.yaml: features of all documents, label
embeddings, shortlists, an epoch of the classifier, label embeddings once more, and
prediction. Words and labels are generated (`generated_sets.py`), so accuracy has no
meaning here; time and memory do not depend on it.

The whole cycle would take hours on few cores, so some phases are measured in part.
Exact search runs for the first --searched documents, since its time is proportional to
their number; the others get random labels. `--search hnsw` builds the whole graph and
searches for all documents. The epoch has --steps steps (0: all), without the first
ones, which also compile. The map to label embeddings trains for --proxy-epochs.
`seconds` is what was measured, `share` the part of the phase that it covers, and
`whole_s` the whole phase at that rate. Memory is always that of the whole cycle: every
array has its full size. `peak_gb` is the peak of the process up to the end of the
phase, generation included.
"""

import os
import sys
import time

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
)
from benchmarks.shared.generated_sets import Shape, generated_set
from xmc_keras.config.config_file import load_config
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.memory import measure_peak_memory

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "hnswlib")
WARM_UP = 4  # training steps that are not counted


class Phases:
    """The phases so far, as rows of a table."""

    def __init__(self):
        self.rows = []

    def add(self, name, seconds, done=1, whole=1):
        """Adds a phase that took `seconds` for `done` of `whole`."""
        row = {
            "phase": name,
            "seconds": round(seconds, 1),
            "share": round(done / whole, 4),
            "whole_s": round(seconds * whole / done, 1),
            "peak_gb": round(measure_peak_memory(), 2),
        }
        self.rows.append(row)
        print(row, file=sys.stderr, flush=True)

    def measure(self, name, work, done=1, whole=1):
        """Runs and adds `work()`, which does `done` of `whole`; returns its result."""
        begun = time.perf_counter()
        found = work()
        self.add(name, time.perf_counter() - begun, done, whole)
        return found


def shortlists(config, arguments, features, embeddings, labels):
    """Makes the shortlists of all documents, and measures the search.

    Returns:
        `(shortlists, seconds, count)`: int32 (documents, neighbors), and the seconds of
        the search for `count` documents.
    """
    from xmc_keras.lightdxml.shortlist_labels import remove_positives, shortlist_labels

    def searched(count):
        begun = time.perf_counter()
        some = features[:count], embeddings, config.num_neighbors, labels[:count]
        found = shortlist_labels(*some, arguments.search)
        return found, time.perf_counter() - begun

    num_documents, count = len(features), arguments.searched
    if arguments.search == "hnsw" or count >= num_documents:
        return *searched(num_documents), num_documents
    found = np.empty((num_documents, config.num_neighbors), np.int32)
    rng = np.random.default_rng(1)
    for start in range(0, num_documents, 4096):
        part = found[start : start + 4096]
        part[:] = rng.integers(len(embeddings), size=part.shape, dtype=np.int32)
    remove_positives(found, labels)
    # The difference of two sizes leaves out constant costs, unless they are all of the
    # time; the first call starts TensorFlow's threads.
    few = count // 4
    searched(few)
    _, before = searched(few)
    found[:count], seconds = searched(count)
    if seconds <= before:
        return found, seconds, count
    return found, seconds - before, count - few


def train_steps(model, batches, steps):
    """Takes steps of an epoch; returns seconds and number of those counted."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == min(WARM_UP, steps - 2):
                self.begun, self.first = time.perf_counter(), batch + 1
            self.last = time.perf_counter()

    clock = Clock()
    steps = max(steps, 2)
    model.fit(
        batches.dataset().take(steps), callbacks=[clock], verbose=0, shuffle=False
    )
    return clock.last - clock.begun, steps - clock.first


def main(arguments):
    make_place(arguments.json)
    config = load_config(
        ROOT / "configs" / "lightdxml_amazon670k.yaml", ["data=none", *arguments.set]
    )
    found = circumstances(PACKAGES)
    phases = Phases()
    shape = Shape(
        arguments.documents,
        arguments.features,
        arguments.labels,
        arguments.labels_a_document,
        arguments.words_a_document,
    )
    rows, labels = phases.measure("generation", lambda: generated_set(shape))

    import keras

    from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
    from xmc_keras.encoders.encode_documents import encode_documents
    from xmc_keras.lightdxml.build import build_lightdxml, lightdxml_optimizer
    from xmc_keras.lightdxml.label_proxy import LabelProxy, train_label_proxy

    keras.utils.set_random_seed(config.seed)
    names = [f"l{i}" for i in range(shape.labels)]
    model = build_lightdxml(config, names, num_features=shape.features)
    batches = SparseDocumentBatches(rows, labels, config.batch_size, shuffle=True)
    model.compile(optimizer=lightdxml_optimizer(config, len(batches)))
    model(next(batches.batches())[0])
    model.optimizer.build(model.trainable_variables)
    phases.add("model", 0)

    def encode():
        return encode_documents(model.encoder, batches.in_order())

    def embed(features):
        embeddings = train_label_proxy(
            LabelProxy(config.proxy_dim, dtype="float32"),
            features,
            labels,
            arguments.proxy_epochs,
            config.proxy_learning_rate,
            config.proxy_batch_size,
        )
        model.refresh(embeddings)
        return embeddings

    # === One cycle ===
    features = phases.measure("features", encode)
    epochs = arguments.proxy_epochs, config.proxy_epochs
    embeddings = phases.measure("label embeddings", lambda: embed(features), *epochs)
    shortlist, seconds, count = shortlists(
        config, arguments, features, embeddings, labels
    )
    phases.add(f"shortlists, {arguments.search}", seconds, count, shape.documents)
    del embeddings
    features = None
    steps = min(arguments.steps or len(batches), len(batches))
    seconds, counted = train_steps(model, batches.with_shortlist(shortlist), steps)
    phases.add("classifier epoch", seconds, counted, len(batches))
    del shortlist

    # === After the last cycle ===
    last = encode()
    phases.measure("last label embeddings", lambda: embed(last), *epochs)
    size, count = config.predict_batch_size, min(arguments.predicted, shape.documents)
    some = SparseDocumentBatches(rows[:count], None, size, shuffle=False)
    model.predict(some.dataset().take(1), verbose=0)
    phases.measure(
        f"prediction of {count} documents",
        lambda: model.predict(some.dataset(), verbose=0),
    )
    found |= {
        "documents": shape.documents,
        "labels": shape.labels,
        "features": shape.features,
        "features_a_document": round(rows.nnz / shape.documents, 1),
        "parameters": int(sum(np.prod(w.shape) for w in model.trainable_variables)),
        "step_ms": round(1000 * seconds / counted, 1),
        "predict_ms": round(1000 * phases.rows[-1]["seconds"] / count, 2),
        "peak_gb": round(measure_peak_memory(), 2),
        "measured": phases.rows,
    }
    print(keep(found, arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("speed.lightdxml_scale", __doc__)
    add_integers(
        parser,
        [
            ("documents", 490_449, 100, "training documents"),
            ("labels", 670_091, 100, ""),
            ("features", 135_909, 100, ""),
            ("searched", 2048, 4, "documents to search nearest labels for"),
            ("steps", 40, 0, "training steps, 0 for an epoch"),
            ("proxy-epochs", 1, 1, "passes over the labels for their embeddings"),
            ("predicted", 4096, 1, "documents to predict"),
        ],
    )
    parser.add_argument("--labels-a-document", type=float, default=5.45, metavar="X")
    parser.add_argument(
        "--words-a-document",
        type=float,
        default=87.0,
        help="about 75 of them are distinct (87)",
        metavar="X",
    )
    parser.add_argument("--search", choices=("exact", "hnsw"), default="exact")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        help="another value for a key of the recipe",
    )
    add_json(parser)
    arguments = parser.parse_args()
    try:
        main(arguments)
    except BadInput as error:
        parser.exit(2, f"error: {error}\n")
