"""Train several configs for several seeds and write a table of what came out.

    python trainers/sweep.py configs/ablations/*.yaml --seeds 3
    python trainers/sweep.py configs/quickstart.yaml configs/debian24k.yaml
    python trainers/sweep.py configs/ablations/*.yaml --set train_documents=6000

A run goes to RUNS/<config name>-<seed>, as trainers/fit.py makes it, for the seeds
0, 1, ...: all configs of one seed before the next. Stop the sweep when you like and
start it again: what is finished is not trained again, and a run that was stopped goes
on. A run that fails is told, the others go on, and the status is 1.

RUNS/sweep.md and RUNS/sweep.json, written anew after each run, have the mean and the
deviation (of a sample: over seeds - 1) of P@k, PSP@k and the seconds of training, and
the mean difference of P@k from the first config named, seed by seed. They are of the
test part. With --validation P@k is that of the best epoch on the validation split,
which is what to choose settings by, in validation.md and validation.json.
"""

import json
import logging
import statistics
import subprocess
import sys
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.arguments import write_output
from xmc_keras.cli.program import command_parser
from xmc_keras.config.config_file import load_config
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.runs.run_history import PRECISIONS, read_history

logger = logging.getLogger("sweep")

PRECISION = list(PRECISIONS.values())
QUALITY = [*PRECISION, "PSP@1", "PSP@3", "PSP@5"]
BEST_BY = "val_precision_at_5"  # as fit.py keeps the best model


def main(argv=None):
    parser = command_parser("sweep", __doc__)
    parser.add_argument("configs", nargs="+", metavar="config", help="recipes")
    parser.add_argument("--seeds", type=int, default=3, help="seeds a config (3)")
    parser.add_argument("--runs", default="runs/sweep", help="folder (runs/sweep)")
    add_settings(parser)
    parser.add_argument(
        "--validation", action="store_true", help="tell P@k on the validation split"
    )
    args = parser.parse_args(argv)
    if args.seeds < 1:
        raise BadInput(f"Expected --seeds to be at least 1. Received: {args.seeds}.")
    configs = {}
    for path in args.configs:
        name = Path(path).stem
        if name in configs:
            raise BadInput(
                f"Expected configs of different names. Received: {name} twice.", path
            )
        configs[name] = path
        load_config(path, args.set)  # all of them before the first is trained
    runs = Path(args.runs)
    quality = PRECISION if args.validation else QUALITY
    table = runs / ("validation.md" if args.validation else "sweep.md")
    found = {name: {} for name in configs}
    failed = []
    for seed in range(args.seeds):
        for name, path in configs.items():
            try:
                settings = [*args.set, f"seed={seed}"]
                run = runs / f"{name}-{seed}"
                metrics = train_run(path, run, settings)
                if args.validation:
                    metrics |= on_validation(RunFolder(run))
                found[name][seed] = metrics
            except BadInput as error:
                failed.append(f"{name}-{seed}")
                logger.error("%s failed: %s", failed[-1], error)
            rows = summary(found, quality)
            report = as_json(rows, configs, found, failed)
            write_output(table.with_suffix(".json"), report)
            write_output(table, markdown(rows, quality))
    print(markdown(rows, quality), end="")
    logger.info("Saved %s and .json", table)
    if failed:
        logger.error("Failed: %s", ", ".join(failed))
        sys.exit(1)


def add_settings(parser):
    """Adds the option of settings, as of `load_config`, for several configs."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a key of all configs; may be given several times",
    )


def train_run(path, folder, settings, started_in=None):
    """Metrics of a run, which is trained, or gone on with, unless it is finished.

    Args:
        path: path of a config.
        folder: path of the run.
        settings: list of strings `"key=value"`, as of `load_config`.
        started_in: optional path. Where training is started, which the path of the
            data may be relative to; then `path` and `folder` are absolute. Defaults to
            here.

    Raises:
        BadInput: the run that is there has another config, or training failed.
    """
    config, run = load_config(path, settings), RunFolder(folder)
    run.check(config, resume=True)
    if not run.finished:
        logger.info("Training %s", folder)
        command = [sys.executable, "-m", "xmc_keras.cli.program", "fit", str(path)]
        command += ["--run", str(folder)]
        command += [word for setting in settings for word in ("--set", setting)]
        if run.config_path.exists():
            command.append("--resume")
        done = subprocess.run(command, cwd=started_in, stdout=sys.stderr)
        status = done.returncode
        if status or not run.finished:
            raise BadInput(
                f"Expected training to end well. Received: status {status}; see above. "
                "Start the sweep again to go on.",
                folder,
            )
    return read_metrics(run)


def on_validation(run):
    """P@k in percent on the validation split, of the epoch that is best by P@5."""
    rows = read_history(run.history_path, PRECISIONS)
    if not rows:
        raise BadInput(
            "Expected the epochs of a finished run. Received: none. Train it anew.",
            run.history_path,
        )
    best = max(rows, key=lambda row: row[BEST_BY])
    return {name: 100 * best[column] for column, name in PRECISIONS.items()}


def summary(found, quality):
    """A row a config, from the metrics of its seeds.

    Args:
        found: dictionary from names to dictionaries from seeds to metrics.
        quality: list of names of metrics.

    Returns:
        List of dictionaries `config`, `seeds` (list), and of `train_seconds` and each
        of `quality` `mean`, `deviation` and, of the latter, `vs_first`: the mean
        difference from the first config over the seeds that both have.
    """
    first = next(iter(found.values()))
    rows = []
    for name, runs in found.items():
        row = {"config": name, "seeds": sorted(runs)}
        for key in [*quality, "train_seconds"]:
            values = {seed: runs[seed][key] for seed in row["seeds"]}
            row[key] = mean_and_deviation(list(values.values()))
            if key in quality and runs is not first:
                others = {seed: first[seed][key] for seed in first}
                row[key]["vs_first"] = difference(values, others)["mean"]
        rows.append(row)
    return rows


def mean_and_deviation(values):
    """`{"mean", "deviation"}` of numbers, None where there are too few."""
    return {
        "mean": rounded(statistics.mean, values),
        "deviation": rounded(statistics.stdev, values, least=2),
    }


def difference(ours, theirs):
    """`mean_and_deviation` of `ours - theirs`, by the seeds that both have.

    >>> difference({0: 5.0, 1: 7.0, 3: 4.0}, {1: 6.0, 2: 9.0, 3: 4.0})
    {'mean': 0.5, 'deviation': 0.71}
    """
    return mean_and_deviation([ours[s] - theirs[s] for s in ours if s in theirs])


def rounded(statistic, values, least=1):
    """The statistic of at least so many values, or None."""
    return round(statistic(values), 2) if len(values) >= least else None


def as_json(rows, configs, found, failed):
    rows = [{**row, "path": str(configs[row["config"]])} for row in rows]
    report = {"rows": rows, "runs": found, "failed": failed}
    return json.dumps(report, indent=2) + "\n"


def markdown(rows, quality):
    """Rows of `summary` as a table of Markdown."""
    head = ["config", "seeds", *quality, "P@1 vs first", "P@5 vs first", "train s"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [row["config"], str(len(row["seeds"]))]
        cells += [cell(row[key]) for key in quality]
        for key in ("P@1", "P@5"):
            difference = row[key].get("vs_first")
            cells.append("" if difference is None else f"{difference:+.2f}")
        lines.append([*cells, cell(row["train_seconds"], 0)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def cell(found, digits=2):
    if found["mean"] is None:
        return "not measured"
    text = f"{found['mean']:.{digits}f}"
    if found["deviation"] is not None:
        text += f" ± {found['deviation']:.{digits}f}"
    return text
