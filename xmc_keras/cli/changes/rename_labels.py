"""Rename labels of a run.

    xmc rename-labels runs/a names.txt --run runs/b
    xmc rename-labels runs/a --label "old name" "new name" --run runs/b

Each line of the file has a name, a tab and the new name. The scores stay. The new run
is a finished run like any other, and the old one stays as it is. The data of the run
has the old names: rename labels there, too, before you evaluate on it.
"""

from xmc_keras.cli.changes.change_run import change_run, parse_names, read_names
from xmc_keras.files.bad_input import BadInput


def main(argv=None):
    args = parse_names(
        *(argv, "rename-labels", __doc__, "on each line a name, a tab, a name"),
        nargs=2,
        metavar=("OLD", "NEW"),
        help="a label to rename; may be given several times",
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
