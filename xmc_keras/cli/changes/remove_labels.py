"""Remove labels from a run.

    xmc remove-labels runs/a old.txt --run runs/b
    xmc remove-labels runs/a --label "section::oldlibs" --label x --run runs/b

The file has one name per line. The other labels keep their names and scores. The new
run is a finished run like any other, and the old one stays as it is. Its metrics are
those of the old one, unless --evaluate measures them on the test part.
"""

from xmc_keras.cli.changes.change_run import (
    add_change_arguments,
    change_run,
    read_names,
)
from xmc_keras.cli.program import command_parser
from xmc_keras.files.bad_input import BadInput


def main(argv=None):
    parser = command_parser("remove-labels", __doc__)
    parser.add_argument("run", help="a run folder, for example runs/quickstart")
    parser.add_argument("file", nargs="?", help="names of labels, one per line")
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME",
        help="a label to remove; may be given several times",
    )
    add_change_arguments(parser, learns=False)
    args = parser.parse_args(argv)
    if bool(args.file) == bool(args.label):
        raise BadInput(
            "Expected a file of names, or --label. Received: "
            f"{'both' if args.file else 'neither'}."
        )
    change_run(args, "remove-labels", lambda run: plan_change(args, run))


def plan_change(args, run):
    """What to record of the change, and the function that makes it."""
    names = args.label or [name for _, (name,) in read_names(args.file, 1)]
    label_set = run.label_set()
    gone = set(names)

    def make(model, metrics):
        places = [i for i, name in enumerate(label_set.names) if name not in gone]
        return model.remove_labels(names), places, (), None

    return {"labels": names}, make
