"""Remove labels from a run.

    xmc remove-labels runs/a old.txt --run runs/b
    xmc remove-labels runs/a --label "section::oldlibs" --label x --run runs/b

The file has one name per line. The other labels keep their names and scores. The new
run is a finished run like any other, and the old one stays as it is. Its metrics are
those of the old one, unless --evaluate measures them on the test part.
"""

from xmc_keras.cli.changes.change_run import change_run, parse_names, read_names


def main(argv=None):
    args = parse_names(
        *(argv, "remove-labels", __doc__, "names of labels, one per line"),
        metavar="NAME",
        help="a label to remove; may be given several times",
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
