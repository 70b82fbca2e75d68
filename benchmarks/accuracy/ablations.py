"""Whether the claims of the paper hold on Debian-24K, over seeds.

    python benchmarks/accuracy/ablations.py --json benchmarks/results/ablations.json
    python benchmarks/accuracy/ablations.py --seeds 1 --only reference --only one_layer

Each config of `configs/ablations/` (12,000 documents, MiniLM) is trained by
`trainers/fit.py` for the seeds 0, 1, ..., which draw the documents too: configs are
compared on the same ones. `vs base` is the mean of the differences, seed by seed, from
the config that its `base:` names, and `+-` their deviation. P@k is in percent on the
whole test part.

Labels by their own score alone (`label_score`) are the reference's runs, evaluated by
`trainers/evaluate.py --score label`. Ensembles (`trainers/ensemble.py`) are compared
with the mean of their members: *three clusterings* are the reference with seed 0 and
three seeds of the clusters; *three seeds* have the documents of seed 0, too, and draw
everything else apart.

Runs are kept in --runs and not trained again: stop it when you like and start it again.
What the file of --json has is not measured again either, so that figures of several
machines or days add up. A row names the commits that trained it.
"""

import argparse
import json
import logging
import subprocess
import sys
from pathlib import Path

import yaml

from benchmarks.accuracy.accuracy import PACKAGES, PRECISION, ROOT, summary, train
from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.figures import add_integers, add_json, keep, make_place, table
from xmc_keras.cli.sweep import add_settings

CONFIGS = {path.stem: path for path in (ROOT / "configs/ablations").glob("*.yaml")}
REFERENCE, BY_LABEL = "reference", "label_score"
KEPT = [*PRECISION, "train_seconds", "peak_memory_gb", "commit"]
# What a config changes, which its figures are compared with.
BASES = {
    name: Path(yaml.safe_load(path.read_text("utf-8")).get("base", REFERENCE)).stem
    for name, path in CONFIGS.items()
}
# What the second and the third run of an ensemble are called and set to; the first is
# the reference with seed 0.
ENSEMBLES = {
    "three clusterings": ("clustering", ["seed=0", "cluster_seed={}"]),
    "three seeds": ("same_documents", ["seed={}", "split_seed=0"]),
}
NAMES = [REFERENCE, *sorted(CONFIGS.keys() - {REFERENCE}), *ENSEMBLES]


def measured(name, seed, runs, settings):
    """Metrics of a config and a seed, whose run is trained unless it is there."""
    trained = REFERENCE if name == BY_LABEL else name
    run = runs / f"{trained}-{seed}"
    metrics = train(CONFIGS[trained], run, [*settings, f"seed={seed}"])
    if name == BY_LABEL:
        metrics |= ask("evaluate.py", run, "--score", "label")
    return metrics


def ask(program, *arguments):
    """What a program of `trainers/` prints as JSON."""
    command = [sys.executable, ROOT / "trainers" / program, *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"error: {program} ended with status {done.returncode}; see above.")
    return json.loads(done.stdout)


def ensemble_row(name, runs, settings):
    """An ensemble of three, beside the mean of its members."""
    prefix, own = ENSEMBLES[name]
    members = {runs / f"{REFERENCE}-0": ["seed=0"]}
    for i in (1, 2):
        members[runs / f"{prefix}-{i}"] = [setting.format(i) for setting in own]
    commits = {
        train(CONFIGS[REFERENCE], run, settings + own)["commit"]
        for run, own in members.items()
    }
    found = ask("ensemble.py", *members)
    row = {"config": name}
    for key in PRECISION:
        members = [member[key] for member in found["members"].values()]
        row[key] = round(found[key], 2)
        row[f"{key} vs mean"] = round(found[key] - found["mean member"][key], 2)
        row[f"{key} of members"] = [round(value, 2) for value in members]
    return row | {"commits": sorted(commits)}


def rows_of(found):
    """A row a config, beside the config that it is compared with."""
    rows = []
    for name, runs in found.items():
        base = BASES[name]
        (row,) = summary({name: runs}, found.get(base, {}), "config", "base")
        rows.append({"config": name, "base": base, **row})
    return rows


def earlier(path, settings):
    """The figures that a file of the same settings has already, by config and seed."""
    if not path or not Path(path).exists():
        return {}, {}
    figures = json.loads(Path(path).read_text())
    if figures["settings"] != settings:
        sys.exit(
            f"error: {path}: Expected figures of --set {settings}. Received: those of "
            f"{figures['settings']}. Name another file, or delete it."
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
        told = {name: of for name, of in found.items() if of}
        command = "python benchmarks/accuracy/ablations.py"
        command += "".join(f" --set {setting}" for setting in arguments.set)
        told = {
            "command": command,
            "settings": arguments.set,
            "measured": rows_of(told),
            "runs": told,
        }
        told["ensembles"] = [ensembles[name] for name in ENSEMBLES if name in ensembles]
        return keep(told | circumstances(PACKAGES), arguments.json)

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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_integers(parser, [("seeds", 3, 1, "seeds a config")])
    parser.add_argument(
        "--only", action="append", choices=NAMES, help="a row; may be repeated"
    )
    add_settings(parser)
    parser.add_argument("--runs", default="runs/ablations", help="folder of the runs")
    add_json(parser)
    main(parser.parse_args())
