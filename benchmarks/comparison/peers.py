"""One linear model on a data folder, in a process of its own.

    pecos      XR-Linear, PIFA label features, hierarchical k-means, beam 10
    omikuji    Parabel, 3 trees, the defaults
    napkinxc   a probabilistic label tree by hierarchical k-means, exact search

`python -m benchmarks.datasets` starts it, in an environment that has the packages of
`NEEDS`, since their NumPy and SciPy are older than TensorFlow's. All peers read TF-IDF
of single words. Standard output gets one JSON object, standard error the messages of
the peer. The seed is that of the clustering; omikuji has none and varies by some tenths
of a point from run to run.

`training_seconds` are those of TF-IDF and of training, but not of writing the input
file of omikuji. `ms_a_document` is the time from text to `k` labels; omikuji takes one
document per call, the others take all of them. `model_mb` (10^6 bytes) is the saved
model without the vocabulary. The metrics are computed by this library, as those of its
own models are.
"""

import json
import os
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.shared.figures import benchmark_parser
from xmc_keras.data.documents import read_documents
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.evaluation.evaluate import measure_ranking
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet

CORES = os.cpu_count()
# What each peer imports: module to requirement.
TFIDF = {"sklearn": "scikit-learn"}
NEEDS = {
    "pecos": {**TFIDF, "pecos": "libpecos==1.2.8", "torch": "torch==2.13.0"},
    "omikuji": {**TFIDF, "omikuji": "omikuji==0.5.2"},
    "napkinxc": {**TFIDF, "napkinxc": "napkinxc==0.7.2"},
}


# A peer takes the label matrix and TF-IDF rows of the training part, TF-IDF rows of the
# test part, an empty folder to save its model in, the number of labels to predict, and
# a seed. It returns a ranking for each test document, and the seconds of training and
# of prediction.


def pecos(y, x, x_test, folder, k, seed):
    from pecos.xmc import Indexer, LabelEmbeddingFactory
    from pecos.xmc.xlinear.model import XLinearModel

    start = time.perf_counter()
    label_features = LabelEmbeddingFactory.create(y, x, method="pifa")
    clusters = Indexer.gen(label_features, indexer_type="hierarchicalkmeans", seed=seed)
    model = XLinearModel.train(x, y, C=clusters, threads=CORES)
    trained = time.perf_counter()
    scores = model.predict(x_test, only_topk=k, beam_size=10, threads=CORES)
    done = time.perf_counter()
    model.save(str(folder))
    rows = zip(scores.indptr, scores.indptr[1:])
    rankings = [scores.indices[a:b][np.argsort(-scores.data[a:b])] for a, b in rows]
    return rankings, trained - start, done - trained


def omikuji(y, x, x_test, folder, k, seed):
    from omikuji import Model

    path = folder / "train.txt"
    x_pairs, test_pairs = pairs_by_row(x), pairs_by_row(x_test)
    with open(path, "w") as file:
        file.write(f"{x.shape[0]} {x.shape[1]} {y.shape[1]}\n")
        for labels, row in zip(np.split(y.indices, y.indptr[1:-1]), x_pairs):
            # omikuji rejects rows without features, so an empty one gets a zero.
            row = " ".join(f"{i}:{value:.6f}" for i, value in row or [(0, 0.0)])
            file.write(",".join(map(str, labels)) + f" {row}\n")
    start = time.perf_counter()
    model = Model.train_on_data(str(path), Model.default_hyper_param(), n_threads=CORES)
    trained = time.perf_counter()
    scored = [model.predict(row, top_k=k) for row in test_pairs]
    done = time.perf_counter()
    path.unlink()
    model.save(str(folder / "model"))
    return [[i for i, _ in row] for row in scored], trained - start, done - trained


def napkinxc(y, x, x_test, folder, k, seed):
    from napkinxc.models import PLT

    start = time.perf_counter()
    model = PLT(str(folder), tree_type="hierarchicalKmeans", threads=CORES, seed=seed)
    model.fit(x, [row.tolist() for row in np.split(y.indices, y.indptr[1:-1])])
    trained = time.perf_counter()
    scored = model.predict_proba(x_test, top_k=k)
    done = time.perf_counter()
    return [[i for i, _ in row] for row in scored], trained - start, done - trained


PEERS = {peer.__name__: peer for peer in (pecos, omikuji, napkinxc)}


def pairs_by_row(matrix):
    """(column, value) pairs of each row of a csr matrix, as lists."""
    pairs = list(zip(matrix.indices.tolist(), matrix.data.tolist()))
    return [pairs[a:b] for a, b in zip(matrix.indptr, matrix.indptr[1:])]


def tfidf(train_texts, test_texts):
    """TF-IDF rows of both parts, and the seconds that each took."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    start = time.perf_counter()
    vectorizer = TfidfVectorizer(
        sublinear_tf=True, min_df=2, token_pattern=r"(?u)\b\w+\b", dtype=np.float32
    )
    x = vectorizer.fit_transform(train_texts).tocsr()
    trained = time.perf_counter()
    x_test = vectorizer.transform(test_texts).tocsr()
    return x, x_test, trained - start, time.perf_counter() - trained


def measure_peer(peer, folder, seed):
    """Trains and evaluates a function of `PEERS`; returns its figures."""
    train, test = (read_documents(folder, part, True) for part in ("train", "test"))
    label_set = LabelSet.from_labels(train.labels)
    filtered = encode_filtered_labels(test, label_set)
    k = 5 + (0 if filtered is None else int(np.diff(filtered.indptr).max()))
    x, x_test, train_tfidf_s, test_tfidf_s = tfidf(train.texts, test.texts)
    y = label_set.encode(train.labels)  # (train documents, labels)
    with tempfile.TemporaryDirectory() as place:
        rankings, train_s, predict_s = peer(y, x, x_test, Path(place), k, seed)
        paths = Path(place).rglob("*")
        model_bytes = sum(path.stat().st_size for path in paths if path.is_file())
    top = np.full((len(test), k), -1, np.int32)
    for row, ranking in zip(top, rankings):
        row[: len(ranking)] = ranking
    metrics = measure_ranking(top, test, label_set, train=train, filtered=filtered)
    phases = {"TF-IDF": train_tfidf_s, "training": train_s}
    return {
        "metrics": {name: round(value, 4) for name, value in metrics.items()},
        "phase_seconds": {name: round(value, 2) for name, value in phases.items()},
        "training_seconds": round(train_tfidf_s + train_s, 2),
        "model_mb": round(model_bytes / 1e6, 3),
        "ms_a_document": round(1000 * (test_tfidf_s + predict_s) / len(test), 3),
    }


def missing_packages(peers):
    """The requirements of some peers that are not installed, without repeats."""
    needs = {module: need for peer in peers for module, need in NEEDS[peer].items()}
    return [need for module, need in needs.items() if not find_spec(module)]


def versions_of(peer):
    """The versions of the packages of a peer."""
    names = ["numpy", "scipy", *(need.split("==")[0] for need in NEEDS[peer].values())]
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError as error:
            raise BadInput(f"Expected the package {name}. Received: none.") from error
    return found


def main(arguments):
    if arguments.missing:
        return print(json.dumps(missing_packages(arguments.missing)))
    # Native code of the peers logs to standard output; send that to standard error.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    figures = measure_peer(PEERS[arguments.peer], arguments.folder, arguments.seed)
    figures["versions"] = versions_of(arguments.peer)
    print(json.dumps(figures), file=output, flush=True)


if __name__ == "__main__":
    parser = benchmark_parser("comparison.peers", __doc__)
    parser.add_argument("folder", nargs="?", help="folder of the data")
    parser.add_argument("--peer", choices=PEERS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--missing",
        nargs="+",
        choices=PEERS,
        help="only print which packages of these peers are missing",
    )
    arguments = parser.parse_args()
    if not arguments.missing and not (arguments.folder and arguments.peer):
        parser.error("expected a folder and --peer, or --missing")
    try:
        main(arguments)
    except BadInput as error:
        parser.exit(2, f"error: {error}\n")
