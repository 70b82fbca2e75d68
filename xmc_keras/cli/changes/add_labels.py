"""Add labels to a run, from a few example documents or from descriptions.

    xmc add-labels runs/a new.jsonl --run runs/b
    xmc add-labels runs/a label_texts.txt --run runs/b

The file has labelled documents in any format that xmc prepare reads: JSON lines such as
{"text": "...", "labels": ["a", "b"]}, CSV, fastText and others. Labels in it that the
run does not know are added; its other labels are left as they are (xmc learn learns
both). Or it is a label_texts.txt: on each line a new label, a tab and its description.

Nothing is trained: the new labels get rows that fit their documents, which takes
seconds, and all other labels keep their scores. The old documents, read from the run's
data, teach the rows what does not have the labels. Without this data scores of new
labels are rather too high.

The new run is a finished run like any other, and the old one stays as it is. Its
metrics are those of the old one, unless --evaluate measures them on the test part.
"""

from xmc_keras.cli.changes.change_run import (
    change_parser,
    change_run,
    digest_documents,
    read_examples,
    read_replay,
)


def main(argv=None):
    parser = change_parser(
        "add-labels", __doc__, "labelled documents, or label_texts.txt"
    )
    args = parser.parse_args(argv)
    change_run(args, "add-labels", lambda run: plan_change(args, run))


def plan_change(args, run):
    """What to record of the change, and the function that makes it."""
    documents = read_examples(args.file, args.skip_bad_lines)
    known, examples = set(run.label_set().names), {}
    for text, labels in documents:
        for name in labels:
            if name not in known:
                examples.setdefault(name, []).append(text)
    check_new(examples, documents, args.file)
    change = {"labels": list(examples), "digest": digest_documents(documents)}

    def make(model, metrics):
        replay = read_replay(args, run)
        added = model.add_labels(examples, replay, metrics)
        places = [*range(len(known)), *[-1] * len(examples)]
        new = [(t, own) for t, own in documents if not known.issuperset(own)]
        counts = [0] * len(known) + [len(set(x)) for x in examples.values()]
        return added, places, new, counts

    return change, make


def check_new(examples, documents, path):
    """Raises `BadInput` if documents have no new label."""
    from xmc_keras.files.bad_input import BadInput

    if not examples:
        name = documents[0][1][0]
        raise BadInput(
            "Expected labels that the run does not know. Received: known ones alone, "
            f"such as {name!r:.60}.",
            path,
            remedy="Learn the documents with `learn`.",
        )
