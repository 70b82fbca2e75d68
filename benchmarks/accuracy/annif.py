"""F1@5 of runs by Annif, which asks our server, and by `xmc evaluate`.

    python -m benchmarks.accuracy.annif runs/quickstart runs/mydata --documents 300

Each run is exported and served; Annif, which is installed from PyPI into a temporary
environment unless `--annif` names its program, gets the vocabulary of the server and
the first documents of the test part as a corpus, and evaluates a project with
`backend=http` on them. `xmc evaluate` has the same documents. Figures are fractions.

An export computes in float32. A run in bfloat16 (`precision`) ranks a few labels in
another order, so that the figure to compare Annif's with is that of the run's model in
float32; the two agree to four digits.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.shared.annif_client import AnnifClient, install_annif, write_corpus
from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from xmc_keras import RunFolder, evaluate, evaluate_run
from xmc_keras.data.splits import read_part
from xmc_keras.serving.export import export_runs
from xmc_keras.serving.graph.float32_model import convert_to_float32
from xmc_keras.serving.server.rest.label_uris import LabelUris

PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy")
PREFIX = "http://example.org/"
NAME = "tags"


def compare(run, documents, program, folder, data=None):
    """F1@5 by Annif and by `xmc evaluate`, and how long Annif took.

    Args:
        run: a `RunFolder`.
        documents: `Documents` with labels; white space in their texts may change.
        program: path of Annif.
        folder: path of an empty folder.
        data: optional path of the run's data, if it was moved.

    Returns:
        Dictionary.
    """
    uris, folder = LabelUris(PREFIX), Path(folder)
    texts = [" ".join(text.split()) for text in documents.texts]
    documents = type(documents)(texts, documents.labels)
    versions = folder / "versions"
    export_runs([run], versions, data=data)
    ours = evaluate_run(run, documents)["F1@5"] / 100
    exact = evaluate(convert_to_float32(run.load_model()), documents)["F1@5"] / 100
    with Serving(versions, folder / "server.log") as url:
        client = AnnifClient(program, folder, url, NAME)
        path = f"{url}/v1/projects/{NAME}/vocabulary.csv?language=en"
        vocabulary = urllib.request.urlopen(path).read().decode()
        # Labels that no model can predict are missed, in both.
        known = set(run.label_set().names)
        unknown = {n for names in documents.labels for n in names} - known
        vocabulary += "".join(f"{uris.find(n)},{n}\n" for n in sorted(unknown))
        (folder / "vocabulary.csv").write_text(vocabulary, encoding="utf-8")
        client.load_vocabulary(folder / "vocabulary.csv")
        labels = [[uris.find(n) for n in names] for names in documents.labels]
        write_corpus(folder / "corpus.tsv", texts, labels)
        begun = time.monotonic()
        metrics, logged = client.evaluate(folder / "corpus.tsv")
        seconds = time.monotonic() - begun
    return {
        "documents": metrics["Documents_evaluated"],
        "F1@5 of annif eval": round(metrics["F1@5"], 6),
        "of the model in float32": round(exact, 6),
        "of xmc evaluate": round(ours, 6),
        "annif_seconds": round(seconds, 1),
        "annif_warnings": logged.count("warning:"),
    }


class Serving:
    """Context manager of `xmc serve` in a process of its own; yields its URL."""

    def __init__(self, versions, log):
        self.versions, self.log = versions, log

    def __enter__(self):
        command = [sys.executable, "-m", "xmc_keras.cli.program", "serve"]
        command += [str(self.versions), "--name", NAME, "--uri-prefix", PREFIX]
        with open(self.log, "wb") as stderr:
            self.process = subprocess.Popen(
                [*command, "--rest-port", "0", "--no-grpc"], stderr=stderr
            )
        while "Page for people: " not in (said := self.log.read_text("utf-8")):
            if self.process.poll() is not None:
                raise RuntimeError(said)
            time.sleep(0.1)
        return said.partition("Page for people: ")[2].partition("/\n")[0]

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait(60)


def main(arguments):
    make_place(arguments.json)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        program = arguments.annif or install_annif(Path(folder, "environment"))
        version = subprocess.run([program, "--version"], capture_output=True, text=True)
        for number, run in enumerate(map(RunFolder, arguments.runs)):
            test = read_part(run.data_folder(arguments.data), "test", True)
            test = test.subset(range(min(arguments.documents, len(test))))
            place = Path(folder, f"annif{number}")
            place.mkdir()
            found = compare(run, test, program, place, arguments.data)
            rows.append({"run": run.path.resolve().name, **found})
            print(table(rows[-1:]), file=sys.stderr)
    found = {"annif": version.stdout.strip(), "measured": rows}
    print(keep(found | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("accuracy.annif", __doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    add_integers(parser, [("documents", 300, 1, "of the test part")])
    parser.add_argument("--annif", metavar="PROGRAM", help="(from PyPI, temporarily)")
    parser.add_argument("--data", help="folder of the data, if it was moved")
    add_json(parser)
    main(parser.parse_args())
