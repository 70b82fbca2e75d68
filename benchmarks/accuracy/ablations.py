"""Ablations of the paper's claims on Debian-24K, over several seeds.

    python -m benchmarks.accuracy.ablations --json benchmarks/results/ablations.json
    python -m benchmarks.accuracy.ablations --seeds 1 --only reference --only one_layer

`xmc fit` trains each config of `configs/ablations/` (12,000 documents, MiniLM) with the
seeds 0, 1 and so on. A seed also draws the documents, so configs are compared on the
same ones. `vs base` is the mean difference, paired by seed, from the config that
`base:` names, and `+-` is the standard deviation of the differences. P@k is in percent
on the whole test part.

`label_score`, ranking by the label score alone, evaluates the runs of the reference
with `xmc evaluate --score label`. Ensembles (`xmc ensemble`) are compared with the mean
of their members: *three clusterings* are the reference with seed 0 and three seeds of
the clusters; *three seeds* also share the documents of seed 0, and differ in everything
else that is random.

Runs are kept in --runs and not trained again, so the program can be stopped and started
again at any time. Figures that the file of --json already has are not measured again
either, so results of several machines or days add up. A row lists the commits that
trained it.
"""

import json
import logging
import subprocess
import sys
from pathlib import Path

import yaml

from benchmarks.accuracy.accuracy import PACKAGES, PRECISION, summary, train
from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from xmc_keras.cli.several_runs.sweep import add_settings

CONFIGS = {path.stem: path for path in (ROOT / "configs/ablations").glob("*.yaml")}
REFERENCE, BY_LABEL = "reference", "label_score"
KEPT = [*PRECISION, "train_seconds", "peak_memory_gb", "commit"]
# The config that each one is compared with.
BASES = {
    name: Path(yaml.safe_load(path.read_text("utf-8")).get("base", REFERENCE)).stem
    for name, path in CONFIGS.items()
}
# Name and settings of the second and third run of an ensemble; the first one is the
# reference with seed 0.
ENSEMBLES = {
    "three clusterings": ("clustering", ["seed=0", "cluster_seed={}"]),
    "three seeds": ("same_documents", ["seed={}", "split_seed=0"]),
}
NAMES = [REFERENCE, *sorted(CONFIGS.keys() - {REFERENCE}), *ENSEMBLES]


def measured(name, seed, runs, settings):
    """Metrics of a config and a seed; trains the run unless it is finished."""
    trained = REFERENCE if name == BY_LABEL else name
    run = runs / f"{trained}-{seed}"
    metrics = train(CONFIGS[trained], run, [*settings, f"seed={seed}"])
    if name == BY_LABEL:
        metrics |= ask("evaluate", run, "--score", "label")
    return metrics


def ask(command, *arguments):
    """Runs a command of `xmc`; returns what it prints as JSON."""
    program = [sys.executable, "-m", "xmc_keras.cli.program", command]
    done = subprocess.run(
        [*program, *arguments, "--json"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    if done.returncode:
        sys.exit(
            f"error: xmc {command} ended with status {done.returncode}; see above."
        )
    return json.loads(done.stdout)


def ensemble_row(name, runs, settings):
    """A row for an ensemble of three, compared with the mean of its members."""
    prefix, own = ENSEMBLES[name]
    members = {runs / f"{REFERENCE}-0": ["seed=0"]}
    for i in (1, 2):
        members[runs / f"{prefix}-{i}"] = [setting.format(i) for setting in own]
    commits = {
        train(CONFIGS[REFERENCE], run, settings + own)["commit"]
        for run, own in members.items()
    }
    found = ask("ensemble", *members)
    row = {"config": name}
    for key in PRECISION:
        members = [member[key] for member in found["members"].values()]
        row[key] = round(found[key], 2)
        row[f"{key} vs mean"] = round(found[key] - found["mean member"][key], 2)
        row[f"{key} of members"] = [round(value, 2) for value in members]
    return row | {"commits": sorted(commits)}


def rows_of(found):
    """A row for each config, compared with its base."""
    rows = []
    for name, runs in found.items():
        base = BASES[name]
        (row,) = summary({name: runs}, found.get(base, {}), "config", "base")
        rows.append({"config": name, "base": base, **row})
    return rows


def earlier(path, settings):
    """Figures that a file of the same settings already has, by config and seed."""
    if not path or not Path(path).exists():
        return {}, {}
    figures = json.loads(Path(path).read_text())
    if figures["settings"] != settings:
        sys.exit(
            f"error: {path}: Expected figures of --set {settings}. Received: "
            f"{figures['settings']}. Name another file, or delete this one."
        )
    runs = figures["runs"].items()
    found = {name: {int(seed): m for seed, m in of.items()} for name, of in runs}
    return found, {row["config"]: row for row in figures["ensembles"]}


def main(arguments):
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    make_place(arguments.json)
    runs = Path(arguments.runs).resolve()
    chosen = [name for name in NAMES if name in (arguments.only or NAMES)]
    found, ensembles = earlier(arguments.json, arguments.set)
    found = {name: found.get(name, {}) for name in NAMES if name not in ENSEMBLES}

    def figures():
        measured_runs = {name: of for name, of in found.items() if of}
        command = "python -m benchmarks.accuracy.ablations"
        command += "".join(f" --set {setting}" for setting in arguments.set)
        record = {
            "command": command,
            "settings": arguments.set,
            "measured": rows_of(measured_runs),
            "runs": measured_runs,
            "ensembles": [ensembles[name] for name in ENSEMBLES if name in ensembles],
        }
        return keep(record | circumstances(PACKAGES), arguments.json)

    for seed in range(arguments.seeds):
        for name in chosen:
            if name in found and seed not in found[name]:
                metrics = measured(name, seed, runs, arguments.set)
                found[name][seed] = {key: metrics[key] for key in KEPT}
                figures()
    for name in ENSEMBLES:
        if name in chosen and name not in ensembles:
            ensembles[name] = ensemble_row(name, runs, arguments.set)
            figures()
    text = figures()
    columns = ["config", "base", "seeds", *PRECISION, "P@1 vs base", "P@1 +-"]
    columns += ["P@5 vs base", "P@5 +-"]
    rows = [{c: row[c] for c in columns} for row in json.loads(text)["measured"]]
    for part in filter(None, (rows, list(ensembles.values()))):
        print(table(part), file=sys.stderr)
    print(text)


if __name__ == "__main__":
    parser = benchmark_parser("accuracy.ablations", __doc__)
    add_integers(parser, [("seeds", 3, 1, "seeds per config")])
    parser.add_argument(
        "--only",
        action="append",
        choices=NAMES,
        help="one row; may be given several times",
    )
    add_settings(parser)
    parser.add_argument(
        "--runs", default="runs/ablations", help="folder of the runs (runs/ablations)"
    )
    add_json(parser)
    main(parser.parse_args())
