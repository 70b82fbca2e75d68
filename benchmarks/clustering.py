"""Label clustering on a data folder: seconds, sizes, likeness of a cluster's labels.

    python benchmarks/clustering.py
    python benchmarks/clustering.py data/debian24k --max-leaf 100 --json clustering.json

`cluster_labels` stands beside `plain`, the algorithm of the published code
(AttentionXML, `deepxml/cluster.py`) with its tolerance and its one start, but finished
leaves kept. `mean_cosine` is the mean over labels of the cosine to the centroid of
their cluster, the higher the better; it differs by some thousandths from seed to seed,
so give `--seeds` for a mean over several. Timings are worth keeping from a quiet
machine only.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.preprocessing import normalize

# So that it runs in a clone that is not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from circumstances import circumstances
from report import at_least

from xmc_keras.bad_input import BadInput
from xmc_keras.label_clustering import cluster_labels
from xmc_keras.label_features import document_features, label_features
from xmc_keras.label_set import LabelSet
from xmc_keras.text_folder import read_documents

ROOT = Path(__file__).resolve().parents[1]


def plain(features, max_leaf, seed):
    """Balanced 2-means as published; returns the label ids of each cluster."""
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
    # The cosines of unit rows to the direction of their sum add up to its norm.
    sums = [np.asarray(features[labels].sum(axis=0)) for labels in clusters]
    return float(sum(np.linalg.norm(total) for total in sums) / features.shape[0])


def measured(features, seeds, cluster):
    """Clusters once a seed; returns means of seconds and cosine, and the sizes."""
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


def main(arguments):
    if arguments.json:
        # At once, so that a wrong path is told before the work.
        Path(arguments.json).parent.mkdir(parents=True, exist_ok=True)
    found = {
        "data": Path(arguments.data_folder).resolve().name,
        "max_leaf": arguments.max_leaf,
    }
    found |= circumstances(("numpy", "scipy", "scikit-learn"))

    # === Label features ===
    train = read_documents(arguments.data_folder, "train")
    label_set = LabelSet.from_labels(train.labels)
    label_matrix = label_set.encode(train.labels)
    start = time.perf_counter()
    documents = document_features(train.texts)
    tfidf_done = time.perf_counter()
    features = label_features(documents, label_matrix)
    found |= {
        "documents": len(train),
        "labels": len(label_set),
        "features": features.shape[1],
        "tfidf_seconds": round(tfidf_done - start, 2),
        "pifa_seconds": round(time.perf_counter() - tfidf_done, 2),
    }

    # === Clusters ===
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)

    def ours(seed):
        clusters = cluster_labels(features, arguments.max_leaf, seed)
        return [row[row >= 0] for row in clusters]

    found["cluster_labels"] = measured(features, seeds, ours)
    found["plain"] = measured(
        features, seeds, lambda seed: plain(features, arguments.max_leaf, seed)
    )

    text = json.dumps(found, indent=2)
    print(text)
    if arguments.json:
        Path(arguments.json).write_text(text + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    folder = ROOT / "data" / "debian24k"
    parser.add_argument("data_folder", nargs="?", default=folder, metavar="DATA_FOLDER")
    parser.add_argument(
        "--max-leaf", type=at_least(1), default=100, help="most labels a cluster (100)"
    )
    parser.add_argument("--seed", type=at_least(0), default=0, help="the first (0)")
    parser.add_argument("--seeds", type=at_least(1), default=1, help="how many (1)")
    parser.add_argument("--json", metavar="FILE", help="keep the figures in FILE too")
    try:
        main(parser.parse_args())
    except BadInput as error:
        parser.exit(2, f"{error}\n")
