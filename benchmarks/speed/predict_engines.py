"""Documents a second of `xmc predict` and of engines for many machines, on this one.

    python -m benchmarks.speed.predict_engines runs/quickstart \\
        --json benchmarks/results/predict_engines.json

Texts of Debian-24K, the test part first, are answered by `xmc predict` in one process
and in two with half of the cores each, and by the export of the same run with Apache
Beam (one process, two) and Apache Spark, each a program of its own. Seconds are by the
clock, from its start to its end, and so with loading TensorFlow and the model. A round
is one run of each, in turns; medians of rounds.

Beam and Spark are installed from PyPI into temporary environments unless `--beam` and
`--spark` name a Python that has them; `--without` leaves sides out.

`same_labels` is the share of texts whose labels are those of the first side, in the
same order, and `same_but_ties` the same where labels whose scores differ by at most
2e-6 may take each other's place; `score_difference` is the largest of a label that both
have. An export computes in float32: a run in bfloat16 (`precision`) ranks a few labels
in another order.
"""

import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.environments import make_environment
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from xmc_keras.data.documents import read_documents

PACKAGES = ("tensorflow", "tensorflow-text", "keras", "numpy")
TWO = "--", "--direct_running_mode=multi_processing", "--direct_num_workers=2"
TIE = 2e-6  # twice what scores are rounded to
# The options of each side, and the files that it writes.
SIDES = {
    "predict": ((), "found.jsonl"),
    "predict --workers 2": (("--workers", "2"), "found.jsonl"),
    "beam": ((), "found-*-of-*.jsonl"),
    "beam, two processes": (TWO, "found-*-of-*.jsonl"),
    "spark": ((), "found.jsonl/part-*"),
}


def run_side(name, run, export, texts, folder, pythons):
    """Runs a side in an empty folder.

    Returns:
        Its seconds, and the answers: a dictionary from texts to dictionaries from
        labels to scores, best first.
    """
    options, files = SIDES[name]
    engine = name.partition(",")[0]
    if engine in pythons:
        command = [pythons[engine], ROOT / f"export/{engine}_predict.py", export]
    else:
        command = [sys.executable, ROOT / "trainers/predict.py", run]
    command += ["--input", texts, "--output", folder / "found.jsonl", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    begun = time.monotonic()
    done = subprocess.run(
        list(map(str, command)), env=environment, stderr=subprocess.PIPE, text=True
    )
    seconds = time.monotonic() - begun
    if done.returncode:
        sys.exit(f"error: {name} ended with status {done.returncode}.\n{done.stderr}")
    found = {}
    for path in sorted(glob.glob(str(folder / files))):
        for line in Path(path).read_text("utf-8").split("\n")[:-1]:
            answer = json.loads(line)
            found[answer["text"]] = dict(zip(answer["labels"], answer["scores"]))
    return seconds, found


def compare(found, first):
    """How answers agree with those of the first side."""
    assert found.keys() == first.keys()
    pairs = [(found[text], first[text]) for text in first]
    same = [list(x) == list(y) for x, y in pairs]
    apart = [differences(x, y) for x, y in pairs]
    return {
        "same_labels": sum(same) / len(pairs),
        "same_but_ties": sum(max(x) <= TIE for x in apart) / len(pairs),
        "score_difference": max(x for x, _ in apart),
    }


def differences(found, first):
    """The largest difference of scores of a label, and of those at the same place.

    If both are small, labels at another place, or that only one has, are ties.
    """
    common = found.keys() & first.keys()
    of_labels = max((abs(found[n] - first[n]) for n in common), default=0.0)
    if len(found) != len(first):
        return of_labels, 1.0
    places = zip(found.values(), first.values())
    return of_labels, max((abs(x - y) for x, y in places), default=0.0)


def main(arguments):
    make_place(arguments.json)
    sides = [name for name in SIDES if name not in arguments.without]
    parts = [
        read_documents(ROOT / "data/debian24k", part) for part in ("test", "train")
    ]
    # A text twice would be one answer of Beam's, whose order is another.
    texts = dict.fromkeys(text for part in parts for text in part.texts)
    texts = list(texts)[: arguments.documents]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        pythons = {}
        for engine in ("beam", "spark"):
            if any(name.startswith(engine) for name in sides):
                requirements = ROOT / f"export/{engine}_requirements.txt"
                pythons[engine] = getattr(arguments, engine) or (
                    make_environment(folder / engine, "-r", requirements) / "python"
                )
        (folder / "texts.txt").write_text("\n".join(texts), "utf-8")
        export = folder / "export"
        program = [
            sys.executable,
            ROOT / "export/saved_model.py",
            arguments.run,
            export,
        ]
        subprocess.run(list(map(str, program)), check=True)
        measured = {name: [] for name in sides}
        agreement, first = {}, None
        for number in range(arguments.rounds):
            for name in sides:
                place = folder / f"{sides.index(name)}_{number}"
                place.mkdir()
                files = arguments.run, export, folder / "texts.txt", place
                seconds, found = run_side(name, *files, pythons)
                measured[name].append(seconds)
                first = first or found
                agreement.setdefault(name, compare(found, first))
    rows = []
    for name in sides:
        seconds = statistics.median(measured[name])
        rows.append(
            {
                "side": name,
                "documents_per_s": round(len(texts) / seconds, 1),
                "seconds": round(seconds, 1),
                **{key: round(x, 6) for key, x in agreement[name].items()},
            }
        )
    print(table(rows))
    record = {"run": str(arguments.run), "documents": len(texts)}
    record |= {"rounds": arguments.rounds, "measured": rows}
    keep(record | circumstances(PACKAGES), arguments.json)


if __name__ == "__main__":
    parser = benchmark_parser("speed.predict_engines", __doc__)
    parser.add_argument("run", help="a finished run folder")
    add_integers(
        parser,
        [("documents", 20_000, 1, "texts to answer"), ("rounds", 1, 1, "runs of each")],
    )
    for engine in ("beam", "spark"):
        parser.add_argument(
            f"--{engine}", metavar="PYTHON", help=f"one that has {engine}"
        )
    parser.add_argument(
        "--without", nargs="*", choices=SIDES, default=[], help="sides to leave out"
    )
    add_json(parser)
    main(parser.parse_args())
