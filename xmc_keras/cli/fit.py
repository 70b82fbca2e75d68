"""Train LightXML or LightDXML, evaluate it, and save both in a folder.

    xmc fit data/debian24k
    xmc fit quickstart
    xmc fit configs/debian24k.yaml --set epochs=2 --set max_tokens=64
    xmc fit configs/debian24k.yaml --resume

Given a folder of data, the config is chosen by its facts, and logged with the reasons:
a LightDXML of words, joined with a linear model, in minutes on a CPU; or, with --set
system=lightxml, a LightXML with MiniLM. A recipe is a YAML file, or the name of one
that comes with the package. The run goes to runs/<name of the recipe or folder>: the
resolved config, the models, history.csv, curves.png, tensorboard/ and metrics.json. It
can be interrupted at any time: --resume continues from the last checkpoint. With --from
training starts from the weights of another run, which stays as it is.
"""

import dataclasses
import logging
from pathlib import Path

from xmc_keras.cli.arguments import add_config, add_skip_bad_lines, groups_file
from xmc_keras.cli.program import command_parser
from xmc_keras.cli.tables import metrics_table
from xmc_keras.config.config_file import load_config
from xmc_keras.config.describe_config import describe_config
from xmc_keras.config.recipes import find_recipe
from xmc_keras.data.check_documents import check_reads_features
from xmc_keras.data.splits import has_part, read_part
from xmc_keras.files.bad_input import BadInput
from xmc_keras.ops.distribution.lost_workers import explain_lost_workers
from xmc_keras.ops.distribution.start_strategy import start_strategy
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.training.memory import measure_free_memory

logger = logging.getLogger("fit")


def main(argv=None):
    parser = command_parser("fit", __doc__, describe_config())
    add_config(parser)
    parser.add_argument("--data", help="folder of the data (data of the recipe)")
    parser.add_argument("--run", help="folder of the run (runs/<recipe or folder>)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="continue the run")
    again.add_argument("--overwrite", action="store_true", help="replace the run")
    parser.add_argument(
        "--from",
        dest="start_from",
        metavar="RUN",
        help="start from the weights of this run, also with other data and labels",
    )
    add_skip_bad_lines(parser)
    parser.add_argument(
        "--any-memory",
        action="store_true",
        help="start even if xmc plan estimates that memory is too small",
    )
    args = parser.parse_args(argv)
    # A folder of data has no config before it is read.
    config, path = None, find_recipe(args.config)
    args.is_folder = path.is_dir()
    if args.is_folder:
        args.data = args.data or args.config
    else:
        config = load_config(args.config, args.set, data=args.data)
        args.data = config.data
    if not args.data:
        raise BadInput(
            "Expected a folder of data. Received: none. Set data in the recipe, or "
            "use --data.",
            args.config,
        )
    strategy = None
    if (distribute := distribution(config, args.set))[0] == "multi_worker":
        # Before anything uses TensorFlow, such as the model of --from.
        strategy = start_strategy(*distribute)
    workers = Workers(strategy)
    if not workers.is_chief:
        with explain_lost_workers(workers):
            return fit_run(args, config, None, workers)
    path = path.resolve()
    name = path.name if args.is_folder else path.stem
    run = RunFolder(args.run or Path("runs", name))
    # Before the data is read, and until all is written.
    with explain_lost_workers(workers), run.lock:
        metrics = fit_run(args, config, run, workers)
    if metrics is None:
        return logger.info("This run is finished: see %s", run.metrics_path)
    rows = {run.config().title: metrics, **metrics["baselines"]}
    print(metrics_table(rows))
    logger.info("Saved %s", run.metrics_path)


def distribution(config, settings):
    """The values of `distribute` and `replicas`, of a config or of `--set`."""
    if config is not None:
        return config.distribute, config.replicas
    from xmc_keras.config.config_file import read_setting

    given = dict(map(read_setting, settings))
    return given.get("distribute", "none"), given.get("replicas")


def fit_run(args, config, run, workers):
    """Reads the data, trains and evaluates the run; returns its metrics.

    Returns None if it is finished already. `run` is None unless this is the chief.
    """
    if run is not None:
        if config is None and args.resume and run.config_path.exists():
            # What was chosen when it began, also by another version.
            config = load_config(run.config_path, args.set, resolved=True)
        run.check(config, args.resume, args.overwrite)
        if args.resume and run.finished and workers.count == 1:
            run.remove_checkpoint()
            return None

    # Imported late: scikit-learn takes a second to import, and other errors come first.
    from xmc_keras.config.choose_config import choose_config
    from xmc_keras.training.fit import fit

    logger.info("Reading %s", args.data)
    groups = groups_file(config, args.set)
    train = read_part(args.data, "train", args.skip_bad_lines, groups=groups)
    width = getattr(train, "num_features", None)
    try:
        if config is None:
            config, _ = choose_config(train, args.set, measure_free_memory())
            config = dataclasses.replace(config, data=args.data)
        if args.is_folder and workers.count > 1:  # that of the chief's memory
            chosen = workers.broadcast(dataclasses.asdict(config))
            config = dataclasses.replace(config, **chosen)
        start_from = args.start_from and load_start(args.start_from, config, run)
        if width is not None:
            check_reads_features(config, train.texts_path)
        test = None
        if not args.is_folder or has_part(args.data, "test"):
            test = read_part(args.data, "test", args.skip_bad_lines, width)
        result = fit(
            config,
            train,
            test=test,
            run=run,
            resume=args.resume,
            overwrite=args.overwrite,
            any_memory=args.any_memory,
            start_from=start_from,
        )
        return None if result is None else result.metrics
    except BadInput as error:
        raise error.at(args.config) from None


def load_start(path, config, run):
    """The model of the run that training starts from; raises `BadInput`."""
    earlier = RunFolder(path)
    system = earlier.config().system
    if system != config.system:
        raise BadInput(
            f"Expected a run of system: {config.system} to start from. Received: "
            f"{system}.",
            path,
        )
    if run is not None and earlier.path.resolve() == run.path.resolve():
        raise BadInput(
            "Expected another run to start from, which stays as it is. Received: the "
            "run itself.",
            path,
            remedy="Choose another `run`.",
        )
    return earlier.load_model()
