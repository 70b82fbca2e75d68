"""Linear models on a data folder: the baselines of a deep model, and their cost.

    popular    the most popular labels of the training part, for every document
    pecos      XR-Linear, PIFA label features, hierarchical k-means, beam 10
    omikuji    Parabel, 3 trees, the defaults
    napkinxc   a probabilistic label tree by hierarchical k-means, exact search

The last three read TF-IDF of single words. They need an environment of their own,
since their NumPy and SciPy are older than TensorFlow's (libpecos requires torch; its
CPU build is enough). `--peers popular` runs in the library's own environment.

    python -m venv .peers
    .peers/bin/pip install torch==2.13.0 libpecos==1.2.8 omikuji==0.5.2 \\
        napkinxc==0.7.2 scikit-learn
    .peers/bin/python -m benchmarks.accuracy.peers

Standard output gets one JSON line per peer, standard error the peers' own messages.
Metrics are computed by this library, in percent, on the whole test part; a test label
that training never saw counts as relevant and cannot be predicted. `train_s` includes
TF-IDF and training, but not writing the input file of omikuji. `predict_ms` is the time
to predict 5 labels of a document from its TF-IDF row, `tfidf_ms` the time from text to
row; omikuji takes one document per call, the others take all of them. `model_mb` (10^6
bytes) is the saved model without the vocabulary. omikuji and napkinxc vary by some
tenths of a point from run to run.
"""

import itertools
import json
import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import at_least, benchmark_parser
from xmc_keras.bad_input import BadInput
from xmc_keras.data.documents import read_documents
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.metrics.inverse_propensity import inverse_propensity
from xmc_keras.metrics.ranking_metrics import ranking_report

TOP = 5
CORES = os.cpu_count()
PROPENSITY = {"a": 0.55, "b": 1.5}
# What each peer imports: module to requirement.
TFIDF = {"sklearn": "scikit-learn"}
NEEDS = {
    "popular": {},
    "pecos": {**TFIDF, "pecos": "libpecos==1.2.8", "torch": "torch==2.13.0"},
    "omikuji": {**TFIDF, "omikuji": "omikuji==0.5.2"},
    "napkinxc": {**TFIDF, "napkinxc": "napkinxc==0.7.2"},
}


# A peer takes the label matrix and TF-IDF rows of the training part, TF-IDF rows of the
# test part, and an empty folder to save its model in. It returns a ranking for each
# test document, or one for all, and the seconds of training and of prediction.


def popular(y, x, x_test, folder):
    start = time.perf_counter()
    ranking = np.argsort(-np.bincount(y.indices), kind="stable")[:TOP]
    trained = time.perf_counter()
    np.save(folder / "ranking.npy", ranking)
    return [ranking], trained - start, 0.0


def pecos(y, x, x_test, folder):
    from pecos.xmc import Indexer, LabelEmbeddingFactory
    from pecos.xmc.xlinear.model import XLinearModel

    start = time.perf_counter()
    label_features = LabelEmbeddingFactory.create(y, x, method="pifa")
    clusters = Indexer.gen(label_features, indexer_type="hierarchicalkmeans")
    model = XLinearModel.train(x, y, C=clusters, threads=CORES)
    trained = time.perf_counter()
    scores = model.predict(x_test, only_topk=TOP, beam_size=10, threads=CORES)
    done = time.perf_counter()
    model.save(str(folder))
    rows = zip(scores.indptr, scores.indptr[1:])
    rankings = [scores.indices[a:b][np.argsort(-scores.data[a:b])] for a, b in rows]
    return rankings, trained - start, done - trained


def omikuji(y, x, x_test, folder):
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
    scored = [model.predict(row, top_k=TOP) for row in test_pairs]
    done = time.perf_counter()
    path.unlink()
    model.save(str(folder / "model"))
    return [[i for i, _ in row] for row in scored], trained - start, done - trained


def napkinxc(y, x, x_test, folder):
    from napkinxc.models import PLT

    start = time.perf_counter()
    model = PLT(str(folder), tree_type="hierarchicalKmeans", threads=CORES)
    model.fit(x, [row.tolist() for row in np.split(y.indices, y.indptr[1:-1])])
    trained = time.perf_counter()
    scored = model.predict_proba(x_test, top_k=TOP)
    done = time.perf_counter()
    return [[i for i, _ in row] for row in scored], trained - start, done - trained


PEERS = {peer.__name__: peer for peer in (popular, pecos, omikuji, napkinxc)}


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


def required_packages():
    needs = {need for needs in NEEDS.values() for need in needs.values()}
    return sorted(need.partition("==")[0] for need in needs)


def missing_packages(peers):
    needs = {module: need for peer in peers for module, need in NEEDS[peer].items()}
    return [need for module, need in needs.items() if not find_spec(module)]


def main(arguments):
    if arguments.json:
        Path(arguments.json).parent.mkdir(parents=True, exist_ok=True)
    # Native code of the peers logs to standard output; send that to standard error.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    train, test = (
        read_documents(arguments.data_folder, part, arguments.skip_bad_lines)
        for part in ("train", "test")
    )
    train = train.subset(range(len(train))[: arguments.train_documents])
    label_set = LabelSet.from_labels(train.labels)
    y = label_set.encode(train.labels)  # (train documents, labels)
    relevant = label_set.encode(test.labels)  # (test documents, labels and unseen)
    counts = np.bincount(y.indices, minlength=relevant.shape[1])
    weight = inverse_propensity(counts, len(train), **PROPENSITY)
    x = x_test = None
    if set(arguments.peers) != {"popular"}:
        x, x_test, *tfidf_s = tfidf(train.texts, test.texts)

    lines = []
    for peer in arguments.peers:
        with tempfile.TemporaryDirectory() as folder:
            rankings, train_s, predict_s = PEERS[peer](y, x, x_test, Path(folder))
            paths = Path(folder).rglob("*")
            model_bytes = sum(p.stat().st_size for p in paths if p.is_file())
        top = np.full((len(test), TOP), -1, np.int32)
        for row, ranking in zip(top, itertools.cycle(rankings)):
            row[: len(ranking)] = ranking
        report = ranking_report(top, relevant, weight)
        train_tfidf_s, test_tfidf_s = (0.0, 0.0) if peer == "popular" else tfidf_s
        line = {
            "peer": peer,
            **{name: round(value, 2) for name, value in report.items()},
            "train_s": round(train_s + train_tfidf_s, 1),
            "predict_ms": round(1000 * predict_s / len(test), 3),
            "tfidf_ms": round(1000 * test_tfidf_s / len(test), 3),
            "model_mb": round(model_bytes / 1e6, 1),
            "data": Path(arguments.data_folder).resolve().name,
            "train_documents": len(train),
            "test_documents": len(test),
            "labels": len(label_set),
            "propensity": PROPENSITY,
            **circumstances(["numpy", "scipy", *required_packages()]),
        }
        lines.append(f"{json.dumps(line)}\n")
        print(lines[-1], end="", file=output, flush=True)
        if arguments.json:  # after each peer, in case a later one fails
            Path(arguments.json).write_text("".join(lines))


if __name__ == "__main__":
    parser = benchmark_parser("accuracy.peers", __doc__.splitlines()[0])
    folder = ROOT / "data" / "debian24k"
    parser.add_argument("data_folder", nargs="?", default=folder, metavar="DATA_FOLDER")
    parser.add_argument(
        "--train-documents", type=at_least(3), metavar="N", help="the first N (all)"
    )
    parser.add_argument("--skip-bad-lines", action="store_true")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--json", metavar="FILE", help="also write the lines to FILE")
    arguments = parser.parse_args()
    if missing := missing_packages(arguments.peers):
        parser.exit(
            2,
            f"Expected the packages of {', '.join(arguments.peers)}. Missing: "
            f"{' '.join(missing)}. Install them in an environment of their own (see "
            "benchmarks/accuracy/peers.py) or choose other peers with --peers.\n",
        )
    try:
        main(arguments)
    except BadInput as error:
        parser.exit(2, f"{error}\n")
