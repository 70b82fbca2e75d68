"""Rename labels of a run.

    xmc rename-labels runs/a names.txt --run runs/b
    xmc rename-labels runs/a --label "old name" "new name" --run runs/b

Each line of the file has a name, a tab and the new name. The scores stay. The new run
is a finished run like any other, and the old one stays as it is. The data of the run
has the old names: rename labels there, too, before you evaluate on it.
"""

from xmc_keras.cli.changes.change_run import (
    add_change_arguments,
    change_run,
    read_names,
)
from xmc_keras.cli.program import command_parser
from xmc_keras.files.bad_input import BadInput


def main(argv=None):
    parser = command_parser("rename-labels", __doc__)
    parser.add_argument("run", help="a run folder, for example runs/quickstart")
    parser.add_argument("file", nargs="?", help="on each line a name, a tab, a name")
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        nargs=2,
        metavar=("OLD", "NEW"),
        help="a label to rename; may be given several times",
    )
    add_change_arguments(parser, learns=False)
    args = parser.parse_args(argv)
    if bool(args.file) == bool(args.label):
        raise BadInput(
            "Expected a file of names, or --label. Received: "
            f"{'both' if args.file else 'neither'}."
        )
    change_run(args, "rename-labels", lambda run: plan_change(args, run))


def plan_change(args, run):
    """What to record of the change, and the function that makes it."""
    pairs = [*enumerate(args.label, 1)] if args.label else read_names(args.file, 2)
    names = {}
    for line, (name, other) in pairs:
        if name in names:
            raise BadInput(
                f"Expected each label once. Received: {name!r:.60} again.",
                args.file,
                line if args.file else None,
            )
        names[name] = other
    count = len(run.label_set())

    def make(model, metrics):
        return model.rename_labels(names), range(count), (), None

    return {"renamed": names}, make
