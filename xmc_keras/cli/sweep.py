"""Train several recipes with several seeds and write a table of the results.

    xmc sweep configs/ablations/*.yaml --seeds 3
    xmc sweep configs/quickstart.yaml configs/debian24k.yaml
    xmc sweep configs/ablations/*.yaml --set train_documents=6000

Each run goes to RUNS/<recipe>-<seed>, in the format of xmc fit, for the seeds 0, 1 and
so on: all recipes with one seed before the next seed. An interrupted sweep can be
repeated: finished runs are not trained again, and an unfinished run is continued. A
failed run is reported; the sweep continues, and ends with status 1.

RUNS/sweep.md and RUNS/sweep.json are updated after each run. They contain the mean and
the sample standard deviation (over seeds - 1) of P@k, PSP@k and training seconds, and
the mean difference of P@k from the first recipe over the same seeds. The metrics are on
the test part. With --validation, P@k is that of the model on the validation split, the
one to choose settings by, and the files are validation.md and validation.json.
"""

import json
import logging
import statistics
import subprocess
import sys
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.arguments import add_skip_bad_lines, write_output
from xmc_keras.cli.program import WORDS, command_parser
from xmc_keras.config.config_file import load_config
from xmc_keras.files.describe_folder import check_folder_for
from xmc_keras.files.path_lock import PathLock
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.runs.read_history import PRECISIONS, read_history
from xmc_keras.runs.run_folder import RunFolder

logger = logging.getLogger("sweep")

PRECISION = list(PRECISIONS.values())
QUALITY = [*PRECISION, "PSP@1", "PSP@3", "PSP@5"]
BEST_BY = "val_precision_at_5"  # the metric that `BestModel` monitors


def main(argv=None):
    parser = command_parser("sweep", __doc__)
    parser.add_argument("configs", nargs="+", metavar="config", help="recipes")
    parser.add_argument("--seeds", type=int, default=3, help="seeds per recipe (3)")
    parser.add_argument(
        "--runs", default="runs/sweep", help="folder of the runs (runs/sweep)"
    )
    add_settings(parser)
    add_skip_bad_lines(parser)
    parser.add_argument(
        "--validation", action="store_true", help="show P@k on the validation split"
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
        load_config(path, args.set)  # checks all of them before the first is trained
    runs = Path(args.runs)
    check_folder_for(runs, "the runs of a sweep", "runs")
    with PathLock(runs.resolve(), "for the runs of a sweep", "runs"):
        failed = train_all(args, configs, runs)
    if failed:
        logger.error("Failed: %s", ", ".join(failed))
        sys.exit(1)


def train_all(args, configs, runs):
    """Trains each config with each seed, and writes the table after each run.

    Args:
        args: the arguments of the command.
        configs: dictionary of names to paths.
        runs: path of the folder of the runs.

    Returns:
        The names of the runs that failed.
    """
    quality = PRECISION if args.validation else QUALITY
    table = runs / ("validation.md" if args.validation else "sweep.md")
    found = {name: {} for name in configs}
    failed = []
    for seed in range(args.seeds):
        for name, path in configs.items():
            try:
                settings = [*args.set, f"seed={seed}"]
                run = runs / f"{name}-{seed}"
                metrics = train_run(
                    path, run, settings, skip_bad_lines=args.skip_bad_lines
                )
                if args.validation:
                    # Also of a start that is better than every epoch.
                    metrics |= metrics.get("validation") or on_validation(
                        RunFolder(run)
                    )
                found[name][seed] = metrics
            except BadInput as error:
                failed.append(f"{name}-{seed}")
                logger.error("%s failed: %s", failed[-1], error.word(WORDS))
            rows = summarize(found, quality)
            report = format_json(rows, configs, found, failed)
            write_output(table.with_suffix(".json"), report)
            write_output(table, format_markdown(rows, quality))
    print(format_markdown(rows, quality), end="")
    logger.info("Saved %s and .json", table)
    return failed


def add_settings(parser):
    """Adds `--set`, the settings of `load_config`, for several configs."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of all configs; may be given several times",
    )


def train_run(path, folder, settings, started_in=None, skip_bad_lines=False):
    """Trains or continues a run unless it is finished, and returns its metrics.

    Args:
        path: path of a config.
        folder: path of the run.
        settings: list of strings `"key=value"`, see `load_config`.
        started_in: optional path. Working directory of the training, to which the path
            of the data may be relative; `path` and `folder` must then be absolute.
            Defaults to the current directory.
        skip_bad_lines: bool. Whether to leave out and count bad documents. Defaults to
            `False`.

    Raises:
        BadInput: the folder has a run with another config, or training failed.
    """
    config, run = load_config(path, settings), RunFolder(folder)
    run.check(config, resume=True)
    if not run.finished:
        logger.info("Training %s", folder)
        command = [sys.executable, "-m", "xmc_keras.cli.program", "fit", str(path)]
        command += ["--run", str(folder)]
        command += [word for setting in settings for word in ("--set", setting)]
        if skip_bad_lines:
            command.append("--skip-bad-lines")
        if run.config_path.exists():
            command.append("--resume")
        done = subprocess.run(command, cwd=started_in, stdout=sys.stderr)
        status = done.returncode
        if status or not run.finished:
            raise BadInput(
                f"Expected training to succeed. Received: status {status}; see above. "
                "Start the sweep again to continue.",
                folder,
            )
    return read_metrics(run)


def on_validation(run):
    """P@k in percent on the validation split, of the epoch with the best P@5.

    For runs whose metrics do not have it.
    """
    rows = read_history(run.history_path, PRECISIONS)
    if not rows:
        raise BadInput(
            "Expected the epochs of a finished run. Received: none. Train it again.",
            run.history_path,
        )
    best = max(rows, key=lambda row: row[BEST_BY])
    return {name: 100 * best[column] for column, name in PRECISIONS.items()}


def summarize(found, quality):
    """Summarizes each config over its seeds.

    Args:
        found: dictionary of config names to dictionaries of seeds to metrics.
        quality: list of names of metrics.

    Returns:
        List of dictionaries, one per config, with `config`, `seeds` (list), and for
        `train_seconds` and each of `quality` a dictionary of `mean` and `deviation`.
        Those of `quality` also have `vs_first`, the mean difference from the first
        config over the seeds that both have.
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
    """`{"mean", "deviation"}` of numbers; None if there are too few."""
    return {
        "mean": round_statistic(statistics.mean, values),
        "deviation": round_statistic(statistics.stdev, values, least=2),
    }


def difference(ours, theirs):
    """`mean_and_deviation` of `ours - theirs`, over the seeds that both have.

    >>> difference({0: 5.0, 1: 7.0, 3: 4.0}, {1: 6.0, 2: 9.0, 3: 4.0})
    {'mean': 0.5, 'deviation': 0.71}
    """
    return mean_and_deviation([ours[s] - theirs[s] for s in ours if s in theirs])


def round_statistic(statistic, values, least=1):
    """The rounded statistic; None for fewer than `least` values."""
    return round(statistic(values), 2) if len(values) >= least else None


def format_json(rows, configs, found, failed):
    """Formats all results as JSON."""
    rows = [{**row, "path": str(configs[row["config"]])} for row in rows]
    report = {"rows": rows, "runs": found, "failed": failed}
    return json.dumps(report, indent=2) + "\n"


def format_markdown(rows, quality):
    """Formats the rows of `summarize` as a Markdown table."""
    head = ["config", "seeds", *quality, "P@1 vs first", "P@5 vs first", "train s"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [row["config"], str(len(row["seeds"]))]
        cells += [format_cell(row[key]) for key in quality]
        for key in ("P@1", "P@5"):
            difference = row[key].get("vs_first")
            cells.append("" if difference is None else f"{difference:+.2f}")
        lines.append([*cells, format_cell(row["train_seconds"], 0)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def format_cell(value, digits=2):
    """Formats the result of `mean_and_deviation`."""
    if value["mean"] is None:
        return "not measured"
    text = f"{value['mean']:.{digits}f}"
    if value["deviation"] is not None:
        text += f" ± {value['deviation']:.{digits}f}"
    return text
