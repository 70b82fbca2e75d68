"""Nearest labels of documents: exact search against HNSW, by the number of labels.

    python -m benchmarks.speed.nearest_search
    python -m benchmarks.speed.nearest_search --labels 24043 100000 --neighbors 20

`exact` is the search of `search: exact`, products of the documents with all label
embeddings, block by block. `hnsw` is that of `search: hnsw`, a graph that is built
first. Seconds are processor seconds of all cores over the number of cores, so other
work on the machine counts less: `build_s` for the whole graph, `exact_ms` and `hnsw_ms`
per document. `recall` is the share of the exact neighbours that the graph finds.
`documents` is the number of documents from which the graph pays off, `never` where it
is not faster per document; `exact_documents` is the number that exact search answers
while the graph is built.

One graph grows from the smallest number of labels to the largest, up to --build-rows
rows (`built`). For more labels, `recall` and `hnsw_ms`, which grow with the rows, are
those of the graph at that size, and `build_s` is extrapolated at the rate of its last
rows: all three then flatter the graph.

Label embeddings are made up: 64 labels per topic, 16 topics per field, a third of the
variance each, rectified as features are. A document is the mean of three labels of a
topic plus noise. Exact search does not depend on the embeddings; HNSW does.
"""

import os
import sys
import time

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    at_least,
    benchmark_parser,
    keep,
    make_place,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.lightdxml.hnsw_rows import EF, make_hnsw_index
from xmc_keras.lightdxml.shortlist_labels import search_exactly
from xmc_keras.training.memory import measure_peak_memory

PACKAGES = ("tensorflow", "hnswlib", "numpy")
LABELS_A_TOPIC, TOPICS_A_FIELD = 64, 16
LABELS_A_DOCUMENT = 3
NOISE = 0.3  # standard deviation of the noise of a document


def embeddings(num_labels, dim, rng):
    """Label embeddings, float32 (labels, dim); labels of a topic are adjacent."""
    topic_of = np.arange(num_labels) // LABELS_A_TOPIC
    field_of = topic_of // TOPICS_A_FIELD
    found = rng.standard_normal((num_labels, dim), np.float32)
    for owners in (topic_of, field_of):
        common = rng.standard_normal((owners[-1] + 1, dim), np.float32)
        found += common[owners]
    return np.maximum(found, 0, out=found)


def documents_of(table, count, rng):
    """Documents, float32 (count, dim), near some labels of a topic."""
    first = rng.integers(len(table), size=count) // LABELS_A_TOPIC * LABELS_A_TOPIC
    labels = first[:, None] + rng.integers(
        LABELS_A_TOPIC, size=(count, LABELS_A_DOCUMENT)
    )
    found = table[np.minimum(labels, len(table) - 1)].mean(axis=1)
    found += NOISE * rng.standard_normal(found.shape, np.float32)
    return np.maximum(found, 0, out=found)


def seconds_of(work):
    """Processor seconds per core of `work()`, and its result."""
    begun = time.process_time()
    found = work()
    return (time.process_time() - begun) / os.cpu_count(), found


class Graph:
    """The HNSW graph of the first rows of a table, and the seconds to build it."""

    def __init__(self, table):
        self.table = table
        self.index = make_hnsw_index(*table.shape)
        self.built, self.seconds, self.row_seconds = 0, 0.0, 0.0

    def grow(self, rows):
        """Adds rows of the table up to a total of `rows`."""
        rows = min(rows, len(self.table))
        if rows == self.built:
            return
        part = self.table[self.built : rows]
        seconds, _ = seconds_of(lambda: self.index.add_items(part))
        self.row_seconds = seconds / (rows - self.built)
        self.seconds += seconds
        self.built = rows

    def seconds_for(self, rows):
        """Seconds to build the graph of `rows` rows, extrapolated beyond `built`."""
        return self.seconds + (rows - self.built) * self.row_seconds


def compared(num_labels, table, graph, arguments):
    """Figures for one number of labels."""
    graph.grow(num_labels)
    count, k = arguments.documents, arguments.neighbors
    rows = graph.built
    queries = documents_of(table[:rows], count, np.random.default_rng(1))

    # === Exact ===
    exact = search_exactly(queries, table[:rows], k)  # also starts TensorFlow
    exact_s, _ = seconds_of(lambda: search_exactly(queries, table[:num_labels], k))
    exact_s /= count

    # === HNSW ===
    graph.index.set_ef(max(k, EF))
    hnsw_s, (found, _) = seconds_of(
        lambda: graph.index.knn_query(queries, k=min(k, rows))
    )
    hnsw_s /= count
    build_s = graph.seconds_for(num_labels)
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, exact)]
    saved = exact_s - hnsw_s
    return {
        "labels": num_labels,
        "built": rows,
        "exact_ms": round(1000 * exact_s, 3),
        "hnsw_ms": round(1000 * hnsw_s, 3),
        "build_s": round(build_s, 1),
        "recall": round(float(np.mean(shared)) / exact.shape[1], 4),
        "exact_documents": round(build_s / exact_s),
        "documents": round(build_s / saved) if saved > 0 else "never",
    }


def main(arguments):
    make_place(arguments.json)
    found = {
        "dim": arguments.dim,
        "neighbors": arguments.neighbors,
        "documents": arguments.documents,
    }
    found |= circumstances(PACKAGES)
    sizes = sorted(arguments.labels)
    table = embeddings(sizes[-1], arguments.dim, np.random.default_rng(0))
    graph = Graph(table[: arguments.build_rows])
    found["measured"] = []
    for num_labels in sizes:
        found["measured"].append(compared(num_labels, table, graph, arguments))
        print(found["measured"][-1], file=sys.stderr, flush=True)
    found["peak_gb"] = round(measure_peak_memory(), 2)
    print(keep(found, arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("speed.nearest_search", __doc__)
    parser.add_argument(
        "--labels",
        type=at_least(2),
        nargs="+",
        default=[24_043, 100_000, 300_000, 670_091],
        help="rows of the tables (24043 100000 300000 670091)",
        metavar="N",
    )
    add_integers(
        parser,
        [
            ("dim", 300, 1, "size of an embedding"),
            ("neighbors", 400, 1, "labels to find for a document"),
            ("documents", 2048, 4, "documents to search labels for"),
            ("build-rows", 300_000, 2, "most rows of the graph"),
        ],
    )
    add_json(parser)
    arguments = parser.parse_args()
    try:
        main(arguments)
    except BadInput as error:
        parser.exit(2, f"error: {error}\n")
