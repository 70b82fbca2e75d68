"""The documents that a run has learnt from, with the labels that it has now."""

import json
import logging

from xmc_keras.data.check_documents import check_reads_texts
from xmc_keras.data.documents import Documents
from xmc_keras.data.splits import read_part, split_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digest, write_checked
from xmc_keras.runs.finished_runs import read_metrics

logger = logging.getLogger(__name__)

# Documents that were added to a run after its training, JSON lines: a text and the
# names of its labels.
ADDED = "added_documents.jsonl"


def read_old_documents(run, data=None, skip_bad_lines=False):
    """Reads the documents that a run has learnt from.

    Those of its data that it was trained on, without those that it was validated on,
    and those that were added by `add_labels` and `learn`; labels have the names that
    they have now.

    Args:
        run: a finished `RunFolder` on texts.
        data: optional string or path. The folder of the run's data, if it was moved.
        skip_bad_lines: bool. As in the training of the run. Defaults to `False`.

    Returns:
        `Documents`.

    Raises:
        BadInput: the data is missing, or other than in training.
    """
    check_reads_texts(run)
    config, folder = run.config(), run.data_folder(data)
    train = read_part(folder, "train", skip_bad_lines, groups=config.validation_by)
    run.check_data(train)
    places, _ = split_documents(config, len(train), train.groups)
    part = train.subset(places)
    labels = part.labels
    for change in read_changes(run):
        if names := change.get("renamed"):
            labels = [[names.get(name, name) for name in own] for own in labels]
    added = dict(read_added(run))
    kept = [i for i, text in enumerate(part.texts) if text not in added]
    return Documents(
        [part.texts[i] for i in kept] + list(added),
        [labels[i] for i in kept] + list(added.values()),
    )


def read_changes(run):
    """The changes of a run since its training, a list of dictionaries, first first."""
    return read_metrics(run).get("changes", [])


def read_added(run):
    """Documents that were added to a run, a list of pairs of a text and its labels."""
    path = run.path / ADDED
    if not path.exists():
        return []
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        found = [(row["text"], row["labels"]) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"Expected JSON lines of added documents. Received: {error!r}.",
            path,
            remedy="Restore the file.",
        ) from None
    check_digest(path)
    return found


def write_added(folder, documents):
    """Writes what `read_added` reads; nothing for no documents."""
    if not documents:
        return
    lines = [
        json.dumps({"text": text, "labels": labels}, ensure_ascii=False) + "\n"
        for text, labels in documents
    ]
    with write_checked(folder / ADDED) as file:
        file.write("".join(lines).encode())


def merge_added(earlier, documents):
    """Documents that were added, with others; the last labels of a text count.

    Args:
        earlier, documents: lists of pairs of a text and its labels.
    """
    return list({**dict(earlier), **dict(documents)}.items())
