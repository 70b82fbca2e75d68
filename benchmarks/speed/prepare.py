"""How fast trainers/prepare.py is, and how much memory it takes.

    python benchmarks/speed/prepare.py --kill
    python benchmarks/speed/prepare.py --documents 20000 --format fasttext

Generates data of Wiki-500K's numbers of documents and labels (1,779,881 and 769,421
documents; 501,008 label names, of which 4.75 a document are drawn by Zipf's law; the
texts are shorter, as --words says), prepares it and, with --kill, once more with a kill
halfway and --resume. Times count from start to end of the program, imports, summary and
rename among them. Memory is the most that the program held.
"""

import argparse
import filecmp
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import add_integers, add_json, keep, make_place

# So that it runs in a clone that is not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xmc_keras.data.formats.document import Document
from xmc_keras.data.formats.fasttext import write_fasttext
from xmc_keras.data.formats.folder import write_folder
from xmc_keras.data.formats.json_lines import write_json_lines, write_label_list

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("numpy", "scikit-learn")
MEAN_LABELS = 4.75
VOCABULARY = 200_000
ROWS = 10_000  # documents generated at a time
# Runs a program, then tells the most memory that it held.
RUN = """
import runpy, sys
sys.path[:0] = [{root!r}, {trainers!r}]
sys.argv = {argv!r}
runpy.run_path(sys.argv[0], run_name="__main__")
from xmc_keras.training.memory import peak_memory_gb
print("peak", peak_memory_gb())
"""


def documents(count, num_words, num_labels, seed):
    """Yields documents of words and labels that follow Zipf's law."""
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
    """Writes both parts in the format that is asked for."""
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
    """Starts the program."""
    trainers = str(ROOT / "trainers")
    argv = [f"{trainers}/prepare.py", str(source), str(target), *options]
    code = RUN.format(root=str(ROOT), trainers=trainers, argv=argv)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_integers(
        parser,
        [
            ("documents", 1_779_881, 1, "training documents"),
            ("test-documents", 769_421, 1, "test documents"),
            ("labels", 501_008, 1, "label names to draw from"),
            ("words", 40, 1, "words a document"),
        ],
    )
    parser.add_argument(
        "--format", choices=("folder", "fasttext", "repository"), default="folder"
    )
    parser.add_argument(
        "--kill", action="store_true", help="once more, killed halfway and resumed"
    )
    add_json(parser)
    main(parser.parse_args())
