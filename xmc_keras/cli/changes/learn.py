"""Learn corrections: documents with their right labels.

    xmc learn runs/a corrections.jsonl --run runs/b

The file has labelled documents in any format that xmc prepare reads, such as JSON lines
{"text": "...", "labels": ["a", "b"]}, with all labels that apply. The rows of these
labels, and of those that the run ranks high for them, change as little as it takes, so
that old documents, read from the run's data, are answered as before. That takes seconds
to minutes and is no training: the encoder stays as it is. Labels that the run does not
know are added first, as by xmc add-labels.

For many thousand documents, or for another kind of texts, train on all data instead,
starting from the run: xmc fit RECIPE --from runs/a.

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
    parser = change_parser("learn", __doc__, "labelled documents")
    args = parser.parse_args(argv)
    change_run(args, "learn", lambda run: plan_change(args, run))


def plan_change(args, run):
    """What to record of the change, and the function that makes it."""
    documents = read_examples(args.file, args.skip_bad_lines)
    texts, labels = map(list, zip(*documents))
    change = {"documents": len(texts), "digest": digest_documents(documents)}

    def make(model, metrics):
        known = len(model.label_set)
        learnt = model.learn(texts, labels, read_replay(args, run), metrics)
        new = len(learnt.label_set) - known
        counts = learnt.label_set.encode(labels).sum(axis=0)
        return learnt, [*range(known), *[-1] * new], documents, counts

    return change, make
