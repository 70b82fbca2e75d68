"""Systems and linear models on data folders: accuracy, time, memory and size.

    python -m benchmarks.datasets FOLDER FOLDER --systems defaults,lightxml,ensemble
    python -m benchmarks.datasets FOLDER --systems none --peers omikuji --seeds 1
    python -m benchmarks.datasets --table
    python -m benchmarks.datasets --write
    python -m benchmarks.datasets --write --against defaults --out STUDY

Each folder has {train,test}_{texts,labels}.txt. Every system and every peer is trained
with the seeds 0, 1 and so on, each in a process of its own whose time, processor time
and memory are measured, and all get the same metrics: all sets with one seed before the
next seed, one process at a time. A result is added to --out when it is there. Started
again, the program leaves out what is in that file; finished trainings of the same
command and commit are kept in --runs. What fails is reported, the rest goes on, and
the program ends with status 1.

Systems (separated by commas, or none):

    defaults   `xmc fit FOLDER`, no recipe and no key but the seed
    lightxml   LightXML with MiniLM within --minutes, see
               benchmarks/comparison/lightxml_in_time.py
    defaults:KEY=VALUE, lightxml:KEY=VALUE   the same with a key, or several, each
               after a colon
    RECIPE     any other recipe, by name or path, on this data
    ensemble   the systems before it, of the same seed, as one with equal weights

The peers need an environment of their own, since their NumPy and SciPy are older than
TensorFlow's (libpecos requires torch; its CPU build is enough):

    python -m venv .peers
    .peers/bin/pip install torch==2.13.0 libpecos==1.2.8 omikuji==0.5.2 \\
        napkinxc==0.7.2 scikit-learn

--table prints the results as Markdown, --write puts them into docs/results/datasets.md.
With --against, both show the differences from a system, seed by seed, and the page is
docs/results/defaults.md.
"""

import json
import logging
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.comparison.data_set import read_data_set
from benchmarks.comparison.peers import NEEDS
from benchmarks.comparison.records import (
    check_digests,
    key_of,
    read_records,
    write_records,
)
from benchmarks.comparison.systems import ENSEMBLE, Comparison, parse_systems
from benchmarks.comparison.tables import all_tables, difference_tables
from benchmarks.shared.circumstances import ROOT
from benchmarks.shared.figures import (
    above_zero,
    add_integers,
    benchmark_parser,
    put_between,
)
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.path_lock import PathLock

logger = logging.getLogger("datasets")

RESULTS = "benchmarks/results/datasets.json"
PAGE = "docs/results/datasets.md"
STUDY_PAGE = "docs/results/defaults.md"  # with --against
# Phrases of remedies, and how the command line words them.
WORDS = {f"another `{name}`": f"another with --{name}" for name in ("out", "runs")}
BEGIN, END = "<!-- python -m benchmarks.datasets --write -->\n", "<!-- end -->"


def check_peers(python, peers):
    """Raises `BadInput` if the packages of the peers are not there."""
    command = [python, "-m", "benchmarks.comparison.peers", "--missing", *peers]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        missing = json.loads(done.stdout) if not done.returncode else ["numpy, scipy"]
    except OSError as error:
        missing = [f"{python} ({error.strerror})"]
    if missing:
        raise BadInput(
            f"Expected a Python with the packages of {', '.join(peers)}. Missing: "
            f"{' '.join(missing)}. Install them in an environment of their own, as "
            "--help shows, and name its Python with --peers-python, or leave peers "
            "out with --peers."
        )


def measure_all(arguments, sets, systems, peers):
    """Measures what is not in the file yet; returns the names of what failed."""
    python = arguments.peers_python
    if Path(python).exists():
        python = str(Path(python).absolute())  # the name of an environment's Python
    comparison = Comparison(arguments.runs, arguments.minutes, python)
    tasks = [
        (data, name, seed, measure, what)
        for seed in range(arguments.seeds)
        for data in sets
        for name, measure, what in [
            *((s.name, comparison.measure_system, s) for s in systems),
            *((peer, comparison.measure_peer, peer) for peer in peers),
        ]
    ]
    records = read_records(arguments.out)
    check_digests(records, sets)
    for data, name, seed, _, what in tasks:
        if names_of(what) & set(arguments.again):
            key = data.about["data"], name, seed
            records = [record for record in records if key_of(record) != key]
            shutil.rmtree(comparison.place(data, name, seed), ignore_errors=True)
    failed = []
    for data, name, seed, measure, what in tasks:
        key = data.about["data"], name, seed
        if key in map(key_of, records):
            continue
        shown = f"{name} on {key[0]}, seed {seed}"
        logger.info("%s", shown)
        try:
            record = measure(data, what, seed)
        except BadInput as error:
            failed.append(shown)
            logger.error("%s failed: %s", shown, error)
            continue
        records.append({**data.about, "name": name, "seed": seed, **record})
        write_records(arguments.out, records)
        figures = (f"{m} {record['metrics'][m]:.2f}" for m in ("P@1", "P@5", "PSP@5"))
        logger.info("%s, %.1f s", ", ".join(figures), record["training_seconds"])
    return failed


def names_of(what):
    """The names of a system or peer in --again: an ensemble follows its members."""
    members = getattr(what, "members", ())
    return {getattr(what, "name", what), *members, *([ENSEMBLE] if members else [])}


def check_names(systems, peers, again):
    """Raises `BadInput` for names that are unknown or stand for two things."""
    if unknown := [peer for peer in peers if peer not in NEEDS]:
        raise BadInput(
            f"Expected peers of {', '.join(NEEDS)}. Received: {', '.join(unknown)}."
        )
    names = [*(system.name for system in systems), *peers]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(
                "Expected systems and peers of different names. Received: "
                f"{name} twice."
            )
    known = set().union(*map(names_of, (*systems, *peers)))
    if unknown := [name for name in again if name not in known]:
        raise BadInput(
            f"Expected --again to name some of {', '.join(sorted(known))}. Received: "
            f"{', '.join(unknown)}."
        )


def tables_of(arguments):
    """The Markdown tables of the results."""
    records = read_records(arguments.out)
    if arguments.against:
        return difference_tables(records, arguments.against)
    return all_tables(records)


def words_of(text):
    """The words of an option, separated by commas; none of them for `none`."""
    return [] if text == "none" else [word for word in text.split(",") if word]


def main(arguments):
    if arguments.write:
        name = STUDY_PAGE if arguments.against else PAGE
        page, tables = ROOT / name, tables_of(arguments)
        text = put_between(page.read_text("utf-8"), BEGIN, END, tables, name)
        with atomic_write(page) as file:
            file.write(text.encode())
    if arguments.table:
        print(tables_of(arguments), end="")
    if arguments.write or arguments.table:
        return
    if not arguments.folders:
        raise BadInput("Expected data folders, --table or --write. Received: none.")
    systems = parse_systems(words_of(arguments.systems))
    peers = words_of(arguments.peers)
    check_names(systems, peers, arguments.again)
    sets = [read_data_set(folder) for folder in arguments.folders]
    names = [data.about["data"] for data in sets]
    if len(set(names)) < len(names):
        raise BadInput(
            f"Expected folders of different names. Received: {', '.join(names)}."
        )
    if peers:
        check_peers(arguments.peers_python, peers)
    with (
        PathLock(Path(arguments.out).resolve(), "for the results", "out"),
        PathLock(Path(arguments.runs).resolve(), "for the runs", "runs"),
    ):
        failed = measure_all(arguments, sets, systems, peers)
    print(tables_of(arguments), end="")
    if failed:
        logger.error("Failed: %s", "; ".join(failed))
        sys.exit(1)


if __name__ == "__main__":
    parser = benchmark_parser("datasets", __doc__)
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="data folders")
    parser.add_argument(
        "--systems", default="defaults", help="separated by commas (defaults)"
    )
    parser.add_argument(
        "--peers", default=",".join(NEEDS), help="separated by commas (all)"
    )
    add_integers(parser, [("seeds", 3, 1, "runs of each")])
    parser.add_argument(
        "--minutes",
        type=above_zero("minutes"),
        default=30.0,
        help="time for each lightxml (30)",
    )
    parser.add_argument(
        "--out", default=RESULTS, help=f"file of the results ({RESULTS})"
    )
    parser.add_argument(
        "--runs", default="runs/datasets", help="folder of the runs (runs/datasets)"
    )
    parser.add_argument(
        "--peers-python",
        default=".peers/bin/python",
        metavar="PYTHON",
        help="the Python that has the peers (.peers/bin/python)",
    )
    parser.add_argument(
        "--again",
        type=words_of,
        default=[],
        metavar="NAMES",
        help="systems and peers, separated by commas, to measure once more, and the "
        "ensembles of these systems",
    )
    parser.add_argument(
        "--against", metavar="NAME", help="show differences from this system or peer"
    )
    parser.add_argument("--table", action="store_true", help="only print the tables")
    parser.add_argument("--write", action="store_true", help="only write the page")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    # Raises SystemExit, so that the running process ends, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main(arguments)
    except BadInput as error:
        parser.exit(2, f"error: {error.word(WORDS)}\n")
    except KeyboardInterrupt:
        parser.exit(130, "interrupted\n")
