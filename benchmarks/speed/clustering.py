"""Label clustering: time, memory, cluster sizes and similarity within clusters.

    python -m benchmarks.speed.clustering
    python -m benchmarks.speed.clustering data/debian24k --max-leaf 100 --json x.json
    python -m benchmarks.speed.clustering --shape amazon670k --without-plain
    python -m benchmarks.speed.clustering --shape amazon670k --scale 0.1 --threads 2

The labels come from a data folder, or are generated in the shape of Amazon-670K or
Wiki-500K (`generated_sets.py`).

`cluster_labels` is compared with `plain`, the algorithm of the published code
(AttentionXML, `deepxml/cluster.py`) with its tolerance and its single start, except
that finished leaves are kept. `mean_cosine` is the mean over labels of the cosine to
the centroid of their cluster; higher is better. It varies by some thousandths from seed
to seed, so use `--seeds` for a mean over several. `peak_gb` is the peak memory of the
whole program after clustering, which includes the documents' features but not `plain`.
Only timings from a quiet machine are worth keeping.
"""

import os
import time
from pathlib import Path

import numpy as np
from sklearn.preprocessing import normalize

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    above_zero,
    add_json,
    at_least,
    benchmark_parser,
    keep,
    make_place,
)
from benchmarks.shared.generated_sets import SHAPES, generated_set
from xmc_keras.data.documents import read_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_clustering import cluster_labels
from xmc_keras.labels.label_features import document_features, label_features
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.training.memory import measure_peak_memory


def plain(features, max_leaf, seed):
    """Balanced 2-means of the published code; returns the label ids of each cluster."""
    rng = np.random.default_rng(seed)
    nodes, clusters = [(np.arange(features.shape[0]), features)], []
    while nodes:
        labels, rows = nodes.pop()
        if len(labels) <= max_leaf:
            clusters.append(labels)
            continue
        n = len(labels)
        centroids = rows[rng.choice(n, 2, replace=False)].toarray()
        before, now = -10000.0, -1.0
        while now - before >= 1e-4:
            cosines = rows @ centroids.T  # (n, 2)
            order = np.argsort(cosines[:, 1] - cosines[:, 0])
            halves = order[: n // 2], order[n // 2 :]
            before = now
            now = sum(cosines[half, i].sum() for i, half in enumerate(halves)) / n
            sums = [np.asarray(rows[half].sum(axis=0)).ravel() for half in halves]
            centroids = normalize(np.asarray(sums))
        nodes += [(labels[half], rows[half]) for half in halves]
    return clusters


def mean_cosine(features, clusters):
    """Mean over labels of the cosine to their cluster's centroid; 0 for zero rows."""
    # The cosines of unit rows to the direction of their sum add up to its norm. One
    # cluster at a time: all 8,192 of Amazon-670K's shape would take 4 GB.
    norms = (np.linalg.norm(features[labels].sum(axis=0)) for labels in clusters)
    return float(sum(norms) / features.shape[0])


def measured(features, seeds, cluster):
    """Clusters once per seed; returns the mean seconds and cosine, and the sizes."""
    seconds, cosines = [], []
    for seed in seeds:
        start = time.perf_counter()
        clusters = cluster(seed)
        seconds.append(time.perf_counter() - start)
        cosines.append(mean_cosine(features, clusters))
    sizes = [len(labels) for labels in clusters]
    return {
        "seconds": round(float(np.mean(seconds)), 2),
        "clusters": len(sizes),
        "smallest": min(sizes),
        "largest": max(sizes),
        "mean_cosine": round(float(np.mean(cosines)), 4),
        "mean_cosine_by_seed": dict(zip(seeds, np.round(cosines, 4).tolist())),
    }


def documents_of(arguments):
    """Document features, label matrix, and a dictionary of their source."""
    start = time.perf_counter()
    if arguments.shape:
        shape = SHAPES[arguments.shape].scaled(arguments.scale or 1)
        documents, label_matrix = generated_set(shape, threads=arguments.threads)
        found = {"shape": arguments.shape, "scale": arguments.scale or 1}
        found["generate_seconds"] = round(time.perf_counter() - start, 2)
        return documents, label_matrix, found
    folder = arguments.data_folder or ROOT / "data" / "debian24k"
    train = read_documents(folder, "train")
    label_matrix = LabelSet.from_labels(train.labels).encode(train.labels)
    start = time.perf_counter()
    documents = document_features(train.texts)
    found = {"data": Path(folder).resolve().name}
    found["tfidf_seconds"] = round(time.perf_counter() - start, 2)
    return documents, label_matrix, found


def main(arguments):
    make_place(arguments.json)
    found = {"max_leaf": arguments.max_leaf, "threads": arguments.threads}
    found |= circumstances(("numpy", "scipy", "scikit-learn"))

    # === Label features ===
    documents, label_matrix, source = documents_of(arguments)
    start = time.perf_counter()
    features = label_features(documents, label_matrix, arguments.threads)
    found |= source | {
        "documents": documents.shape[0],
        "labels": features.shape[0],
        "features": features.shape[1],
        "features_a_document": round(documents.nnz / documents.shape[0], 1),
        "features_a_label": round(features.nnz / features.shape[0], 1),
        "pifa_seconds": round(time.perf_counter() - start, 2),
        "pifa_peak_gb": round(measure_peak_memory(), 2),
    }

    # === Clusters ===
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)

    def ours(seed):
        clusters = cluster_labels(features, arguments.max_leaf, seed, arguments.threads)
        return [row[row >= 0] for row in clusters]

    found["cluster_labels"] = measured(features, seeds, ours)
    found["peak_gb"] = round(measure_peak_memory(), 2)
    if not arguments.without_plain:
        found["plain"] = measured(
            features, seeds, lambda seed: plain(features, arguments.max_leaf, seed)
        )

    print(keep(found, arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("speed.clustering", __doc__)
    parser.add_argument(
        "data_folder",
        nargs="?",
        metavar="DATA_FOLDER",
        help="(data/debian24k)",
    )
    parser.add_argument("--shape", choices=SHAPES, help="generate labels instead")
    parser.add_argument(
        "--scale",
        type=above_zero("a number"),
        help="multiply the sizes of --shape by S (1)",
        metavar="S",
    )
    parser.add_argument(
        "--threads",
        type=at_least(1),
        default=os.cpu_count(),
        help="threads of cluster_labels; plain has one (all cores)",
        metavar="N",
    )
    parser.add_argument(
        "--without-plain",
        action="store_true",
        help="cluster_labels alone, which is faster",
    )
    parser.add_argument(
        "--max-leaf",
        type=at_least(1),
        default=100,
        help="most labels per cluster (100)",
    )
    parser.add_argument("--seed", type=at_least(0), default=0, help="first seed (0)")
    parser.add_argument(
        "--seeds", type=at_least(1), default=1, help="number of seeds (1)"
    )
    add_json(parser)
    arguments = parser.parse_args()
    if arguments.shape and arguments.data_folder:
        parser.error("expected DATA_FOLDER or --shape, received both")
    if arguments.scale and not arguments.shape:
        parser.error("expected --scale with --shape only")
    try:
        main(arguments)
    except BadInput as error:
        parser.exit(2, f"error: {error}\n")
