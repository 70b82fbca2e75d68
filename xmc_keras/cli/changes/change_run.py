"""What the commands that change a run share."""

import logging

from xmc_keras.cli.program import WORDS, command_parser
from xmc_keras.files.bad_input import BadInput
from xmc_keras.progress import phase
from xmc_keras.runs.run_folder import RunFolder

logger = logging.getLogger("labels")


def change_parser(command, description, file_help, learns=True, **file):
    """Makes the parser of a command that changes a run.

    Args:
        command: string.
        description: string, the docstring of its module.
        file_help: string. What the file has.
        learns: bool. Whether it reads documents, in which there may be bad lines.
            Defaults to `True`.
        **file: further options of the argument `file`.
    """
    parser = command_parser(command, description)
    parser.add_argument("run", help="a run folder, for example runs/quickstart")
    parser.add_argument("file", help=file_help, **file)
    parser.add_argument(
        "--run", dest="target", required=True, metavar="NEW", help="the run to write"
    )
    parser.add_argument(
        "--data", metavar="FOLDER", help="the folder of the run's data, if it was moved"
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="keep the run if it is made already"
    )
    again.add_argument("--overwrite", action="store_true", help="replace the run")
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help="measure the new run on the test part of its data",
    )
    if learns:
        parser.add_argument(
            "--skip-bad-lines",
            action="store_true",
            help="leave bad lines of the file and of the run's data out",
        )
    return parser


def parse_names(argv, command, description, file_help, **label):
    """Arguments of a command on labels, by a file of names or by `--label`.

    Args:
        argv: list of strings, or None.
        command, description, file_help: see `change_parser`.
        **label: options of `--label`, which may be given several times.
    """
    parser = change_parser(command, description, file_help, False, nargs="?")
    parser.add_argument("--label", action="append", default=[], **label)
    args = parser.parse_args(argv)
    if bool(args.file) == bool(args.label):
        raise BadInput(
            "Expected a file of names, or --label. Received: "
            f"{'both' if args.file else 'neither'}."
        )
    return args


def change_run(args, name, plan):
    """Makes a run of another one.

    Args:
        args: the arguments of the command.
        name: string, the command.
        plan: function of the old `RunFolder` that returns `(change, make)`: what to
            record of the change, and a function of the model and the metrics of the
            run that returns the changed model, the ids that its labels had, the added
            documents, and how many of them each label has, or None.
    """
    from xmc_keras.runs.changes.changed_run import (
        change_counts,
        check_target,
        write_changed_run,
    )
    from xmc_keras.runs.finished_runs import read_metrics

    run, target = RunFolder(args.run), RunFolder(args.target)
    run.config()
    with target.lock:
        metrics = read_metrics(run)
        try:
            change, make = plan(run)
        except BadInput as error:
            raise error.at(getattr(args, "file", None)) from None
        change = {"change": name, **change}
        if check_target(run, target, change, args.resume, args.overwrite):
            return logger.info("This run is finished: see %s", target.metrics_path)
        with phase("Loading the model"):
            model = run.load_model()
        try:
            changed, places, added, counts = make(model, metrics)
        except BadInput as error:
            raise error.at(getattr(args, "file", None)) from None
        arrays = change_counts(run, target.path, places, len(added), counts)
        found = None
        if args.evaluate:
            pair = arrays["counts"], int(arrays["num_documents"])
            found = measure(args, run, changed, pair)
        write_changed_run(run, target, changed, change, arrays, added, found)


def measure(args, run, model, counts):
    """Metrics of a model on the test part of a run's data, see `evaluate`."""
    from xmc_keras.data.splits import read_part
    from xmc_keras.evaluation.evaluate import evaluate_checked

    test = read_part(
        run.data_folder(args.data), "test", num_features=run.num_features()
    )
    settings = {"config": run.config(), "counts": counts}
    found = evaluate_checked(model, test, run.cache_path, **settings)
    return {**found, "evaluated_on": "test"}


def read_replay(args, run):
    """The documents that the run has learnt from; None with a warning, if missing."""
    from xmc_keras.runs.changes.old_documents import read_old_documents

    try:
        return read_old_documents(run, args.data, args.skip_bad_lines)
    except BadInput as error:
        if args.data is not None:
            raise
        logger.warning(
            "Without the old documents, new labels may score too high: %s",
            error.word(WORDS),
        )
        return None


def read_examples(path, skip_bad_lines=False):
    """Labelled documents of a file of any format, or of a `label_texts.txt`.

    Returns:
        List of pairs of a text and its labels, not empty.
    """
    from pathlib import Path

    from xmc_keras.data.formats.document import BadLines
    from xmc_keras.data.formats.find_format import find_format
    from xmc_keras.data.formats.find_parts import find_parts
    from xmc_keras.data.label_texts import LABEL_TEXTS, read_label_texts

    source, bad = Path(path), BadLines()
    if source.name.startswith(LABEL_TEXTS):
        texts = read_label_texts(source.parent)
        return [(text, [name]) for name, text in texts.items()]
    skip = (lambda part: bad) if skip_bad_lines else None
    parts = find_parts(source, find_format(source), None, None, skip)
    found = [(document.text, document.labels) for document in parts["train"]]
    if bad.count:
        logger.warning("%d bad lines left out. The first: %s", *(bad.count, bad.first))
    if not found:
        raise BadInput("Expected labelled documents. Received: none.", path)
    return found


def digest_documents(documents):
    """Hex digest of pairs of a text and its labels."""
    from xmc_keras.data.documents import Documents, documents_digest

    return documents_digest(Documents(*map(list, zip(*documents))))


def read_names(path, columns):
    """Lines of names, separated by tabs: a list of pairs of a line and its names."""
    from xmc_keras.data.formats.document import TextRows

    found = []
    for line, row in TextRows(path):
        names = [name.strip() for name in row.split("\t")]
        if len(names) != columns or not all(names):
            wanted = "a name" if columns == 1 else "a name, a tab and a name"
            raise BadInput(
                f"Expected {wanted} on each line. Received: {row[:60]!r}.", path, line
            )
        found.append((line, names))
    if not found:
        raise BadInput("Expected names of labels. Received: none.", path)
    return found
