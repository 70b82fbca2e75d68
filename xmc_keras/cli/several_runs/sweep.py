"""Train several recipes with several seeds, or search for better values of keys.

    xmc sweep configs/ablations/*.yaml --seeds 3
    xmc sweep configs/ablations/*.yaml --set train_documents=6000
    xmc sweep quickstart --search learning_rate=1e-5..1e-3 --search epochs=2,4,8
    xmc sweep mydata --search embedding_dim=32..256 --trials 30

Each run goes to RUNS/<recipe>-<seed>, in the format of xmc fit, for the seeds 0, 1 and
so on: all recipes with one seed before the next seed. An interrupted sweep can be
repeated: finished runs are not trained again, and an unfinished run is continued. A
failed run is reported; the sweep continues, and ends with status 1.

RUNS/sweep.md and RUNS/sweep.json are updated after each run. They contain the mean and
the sample standard deviation (over seeds - 1) of P@k, PSP@k and training seconds, and
the mean difference of P@k from the first recipe over the same seeds. The metrics are on
the test part. With --validation, P@k is that of the model on the validation split, the
one to choose settings by, and the files are validation.md and validation.json.

With --search, Optuna (pip install 'xmc-keras[search]') looks for the values that are
best for one recipe, or for the config that xmc fit chooses for a folder of data, by P@5
on the validation split. --search KEY=LOW..HIGH is a range of numbers with its ends: of
integers, if the key is one; log-uniform, if it is above 0 and HIGH is at least 10 times
LOW; otherwise uniform. --search KEY=A,B,C are choices, with values as for --set. The
first trial has the values of the recipe that are among them. Trials go to
RUNS/trial-0 and so on, and never read the test part; one that falls behind the median
of the others is ended early. Started again, a search continues, with more --trials also
after its end. RUNS/sweep.md and sweep.json list the trials, best first; RUNS/best.yaml
is a recipe with the best values.
"""

import argparse
import dataclasses
import logging
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from xmc_keras.cli.arguments import add_skip_bad_lines, groups_file, write_output
from xmc_keras.cli.program import WORDS, command_parser
from xmc_keras.config.config_file import load_config
from xmc_keras.config.keys.config_key import format_value
from xmc_keras.config.recipes import find_recipe
from xmc_keras.data.check_documents import check_reads_features
from xmc_keras.data.documents import documents_digest
from xmc_keras.data.splits import read_part
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.describe_folder import check_folder_for, describe_folder
from xmc_keras.files.digests import digest_json
from xmc_keras.files.path_lock import PathLock
from xmc_keras.runs.compare_seeds import format_json, format_markdown, summarize
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.runs.read_history import PRECISIONS, read_history
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.training.child_process import end_with_parent
from xmc_keras.training.memory import measure_free_memory
from xmc_keras.training.search.run_search import check_comparable, run_search
from xmc_keras.training.search.search_space import SearchSpace, import_optuna
from xmc_keras.training.search.train_trial import train_trial
from xmc_keras.training.search.trial_process import start_trial
from xmc_keras.training.search.trial_study import STUDY, TrialStudy
from xmc_keras.training.search.trial_table import format_trials, save_trials

logger = logging.getLogger("sweep")

PRECISION = list(PRECISIONS.values())
QUALITY = [*PRECISION, "PSP@1", "PSP@3", "PSP@5"]
BEST_BY = "val_precision_at_5"  # the metric that `BestModel` monitors


def main(argv=None):
    parser = command_parser("sweep", __doc__)
    parser.add_argument(
        "configs",
        nargs="+",
        metavar="config",
        help="recipes; with --search one recipe, or a folder of data",
    )
    parser.add_argument("--seeds", type=int, help="seeds per recipe (3)")
    parser.add_argument(
        "--runs",
        help="folder of the runs (runs/sweep; with --search runs/<recipe or folder>-"
        "search)",
    )
    add_settings(parser)
    add_skip_bad_lines(parser)
    parser.add_argument(
        "--validation", action="store_true", help="show P@k on the validation split"
    )
    parser.add_argument(
        "--search",
        action="append",
        metavar="KEY=VALUES",
        help="search for a value of a key: LOW..HIGH or A,B,C; may be given several "
        "times",
    )
    parser.add_argument("--trials", type=int, help="trials of a search in all (20)")
    # Which trial of the search in the folder `configs` this process trains.
    parser.add_argument("--process-of", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    # Raises SystemExit, so that the program that trains a run ends, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if args.process_of is not None:
        failed = train_one(args)
    elif args.search:
        failed = search(args)
    else:
        failed = sweep(args)
    if failed:
        logger.error("Failed: %s", ", ".join(failed))
        sys.exit(1)


def sweep(args):
    """Trains the runs of the arguments; returns the names of those that failed."""
    if args.trials is not None:
        raise BadInput("Expected --trials with --search. Received: --trials alone.")
    args.seeds = 3 if args.seeds is None else args.seeds
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
    runs = Path(args.runs or "runs/sweep")
    check_folder_for(runs, "the runs of a sweep", "runs")
    if (runs / STUDY).exists():
        raise BadInput(
            "Expected a folder for the runs of a sweep. Received: that of a search.",
            runs,
            remedy="Choose another `runs`.",
        )
    with PathLock(runs.resolve(), "for the runs of a sweep", "runs"):
        return train_all(args, configs, runs)


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


def search(args):
    """Searches the values of the arguments; returns the names of failed trials."""
    if len(args.configs) > 1 or args.seeds is not None:
        received = "--seeds" if args.seeds is not None else " ".join(args.configs)
        raise BadInput(
            "Expected one recipe or folder with --search, and no --seeds. Received: "
            f"{received}."
        )
    trials = 20 if args.trials is None else args.trials
    if trials < 1:
        raise BadInput(f"Expected --trials to be at least 1. Received: {trials}.")
    import_optuna()  # an error now if it is missing
    [given] = args.configs
    space, path = SearchSpace(args.search), find_recipe(given)
    # A folder of data has no config before it is read.
    config = None if path.is_dir() else load_config(given, args.set)
    if config is not None:
        space.check(config)
    name = path.resolve().name if path.is_dir() else path.stem
    runs = Path(args.runs or f"runs/{name}-search")
    check_folder_for(runs, "the runs of a sweep", "runs")
    with PathLock(runs.resolve(), "for the runs of a sweep", "runs"):
        study = begin_search(runs, config, space, args)
        with study.errors():
            run_search(
                study,
                trials,
                lambda number: start_trial(runs, number, args.skip_bad_lines),
                lambda: save_trials(study),
            )
            rows, best = save_trials(study)
    print(format_trials(rows), end="")
    if best is not None:
        settings = [f"{key}={format_value(x)}" for key, x in best["values"].items()]
        words = [word for x in (*args.set, *settings) for word in ("--set", x)]
        print(f"\nBest: {shlex.join(['xmc', 'fit', given, *words])}")
        logger.info("Saved %s, sweep.md and sweep.json", runs / "best.yaml")
    return [row["trial"] for row in rows if row["ended"] == "unfinished"]


def begin_search(runs, config, space, args):
    """Reads the data, and begins a search or compares it with the one that was begun.

    Args:
        runs: path of the folder of the search.
        config: a `Config`, or None for a folder of data.
        space: a `SearchSpace`.
        args: the arguments of the command.

    Returns:
        The `TrialStudy`.
    """
    [given] = args.configs
    data = given if config is None else config.data
    if not data:
        raise BadInput(
            "Expected a folder of data. Received: none. Set data in the recipe, or use "
            "--set data=FOLDER.",
            given,
        )
    study = TrialStudy(runs) if (runs / STUDY).exists() else None
    if study is None and runs.exists() and describe_folder(runs) is not None:
        raise BadInput(
            "Expected an empty folder, or that of a search. Received: other files.",
            runs,
            remedy="Choose another `runs`.",
        )
    if config is None and study is not None and study.begun:
        config = study.config  # what was chosen when it began, also by another version
    groups = groups_file(config, args.set)
    train = read_part(data, "train", args.skip_bad_lines, groups=groups)
    if config is None:
        from xmc_keras.config.choose_config import choose_config  # imported late

        config, _ = choose_config(train, args.set, measure_free_memory())
        config = dataclasses.replace(config, data=data)
        space.check(config)
    if getattr(train, "num_features", None) is not None:
        check_reads_features(config, train.texts_path)
    check_comparable(config, train)
    study = study or TrialStudy(runs)
    digest = documents_digest(train) + digest_json(train.groups)
    with study.errors():
        study.begin(config, space, args.set, digest)
    return study


def train_one(args):
    """Trains the trial of a process that `start_trial` has started."""
    end_with_parent()
    try:
        train_trial(args.configs[0], args.process_of, args.skip_bad_lines)
    except KeyboardInterrupt:  # the other process says so
        sys.exit(130)
