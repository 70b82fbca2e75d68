"""Speed and memory of `xmc prepare`.

    python -m benchmarks.speed.prepare --kill
    python -m benchmarks.speed.prepare --documents 20000 --format fasttext

Generates data with Wiki-500K's numbers of documents and labels (1,779,881 and 769,421
documents; 501,008 label names, of which Zipf's law draws 4.75 per document; texts are
shorter, see --words) and prepares it. With --kill it does so once more, killed halfway
and continued with --resume. Times are those of the whole program, including imports,
summary and rename. Memory is the peak of the program.
"""

import filecmp
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
)
from xmc_keras.data.formats.document import Document
from xmc_keras.data.formats.fasttext import write_fasttext
from xmc_keras.data.formats.folder import write_folder
from xmc_keras.data.formats.json_lines import write_json_lines, write_label_list

PACKAGES = ("numpy", "scikit-learn")
MEAN_LABELS = 4.75
VOCABULARY = 200_000
ROWS = 10_000  # documents generated at a time
# Runs a command of `xmc`, then prints its peak memory.
RUN = """
import sys
from xmc_keras.cli.program import main
main(sys.argv[1:])
from xmc_keras.training.memory import measure_peak_memory
print("peak", measure_peak_memory())
"""


def documents(count, num_words, num_labels, seed):
    """Yields documents whose words and labels follow Zipf's law."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array([f"word{i}" for i in range(VOCABULARY)], object)
    names = np.array([f"label{i}" for i in range(num_labels)], object)
    for first in range(0, count, ROWS):
        rows = min(ROWS, count - first)
        words = VOCABULARY ** rng.random((rows, num_words))
        texts = vocabulary[words.astype(np.int64) - 1]
        sizes = 1 + rng.poisson(MEAN_LABELS - 1, rows)
        labels = num_labels ** rng.random(sizes.sum())
        labels = np.split(names[labels.astype(np.int64) - 1], np.cumsum(sizes)[:-1])
        for number, (text, found) in enumerate(zip(texts, labels), first + 1):
            yield Document(" ".join(text), list(dict.fromkeys(found)), number)


def generate(folder, arguments):
    """Writes both parts in the format of --format."""
    sizes = {"train": arguments.documents, "test": arguments.test_documents}
    for seed, (part, count) in enumerate(sizes.items()):
        found = documents(count, arguments.words, arguments.labels, seed)
        if arguments.format == "folder":
            write_folder(found, folder, part)
        elif arguments.format == "fasttext":
            write_fasttext(found, folder / f"{part}.txt")
        else:
            names = [f"label{i}" for i in range(arguments.labels)]
            write_label_list(names, folder / "lbl.json.gz")
            name = {"train": "trn", "test": "tst"}[part]
            write_json_lines(found, folder / f"{name}.json.gz", names)


def prepared(source, target, *options):
    """Starts `xmc prepare`; returns the `Popen`."""
    command = [sys.executable, "-c", RUN, "prepare", str(source), str(target)]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, cwd=ROOT)


def measured(arguments):
    """The figures, as a dictionary."""
    with tempfile.TemporaryDirectory() as folder:
        source, whole, again = (Path(folder, n) for n in ("source", "whole", "again"))
        source.mkdir()
        generate(source, arguments)
        size = sum(path.stat().st_size for path in source.iterdir())
        begun = time.monotonic()
        output = prepared(source, whole).communicate()[0].decode()
        seconds = time.monotonic() - begun
        summary = json.loads((whole / "summary.json").read_text())
        count = sum(summary[part]["documents"] for part in ("train", "test"))
        found = {
            "gb": round(size / 1e9, 3),
            "seconds": round(seconds, 1),
            "documents_s": round(count / seconds),
            "peak_gb": round(float(output.rsplit("peak ", 1)[1]), 3),
        }
        if arguments.kill:
            killed = prepared(source, again)
            time.sleep(seconds / 2)
            killed.send_signal(signal.SIGKILL)
            killed.communicate()
            begun = time.monotonic()
            prepared(source, again, "--resume").communicate()
            found["resumed_seconds"] = round(time.monotonic() - begun, 1)
            names = [path.name for path in whole.iterdir()]
            same = filecmp.cmpfiles(whole, again, names, shallow=False)[0]
            found["same_bytes"] = sorted(same) == sorted(names)
        return found | {"summary": summary}


def main(arguments):
    make_place(arguments.json)
    settings = {k: v for k, v in vars(arguments).items() if k != "json"}
    found = {"settings": settings, **circumstances(PACKAGES)}
    print(keep(found | measured(arguments), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("speed.prepare", __doc__)
    add_integers(
        parser,
        [
            ("documents", 1_779_881, 1, "training documents"),
            ("test-documents", 769_421, 1, "test documents"),
            ("labels", 501_008, 1, "label names to draw from"),
            ("words", 40, 1, "words per document"),
        ],
    )
    parser.add_argument(
        "--format", choices=("folder", "fasttext", "repository"), default="folder"
    )
    parser.add_argument(
        "--kill",
        action="store_true",
        help="once more, killed halfway and resumed",
    )
    add_json(parser)
    main(parser.parse_args())
