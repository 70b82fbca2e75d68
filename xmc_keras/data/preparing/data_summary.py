"""Summary statistics of a data set."""

import numpy as np

TAIL = 5  # maximum number of training documents of a tail label


def summarize_data(parts, label_counts):
    """Computes statistics of a data set.

    Args:
        parts: dict from part, `"train"` and optionally `"test"`, to a dict of `hashes`,
            uint64 array (documents,) of the texts, and `words` and `bad_lines`, ints.
        label_counts: dict from part to an int array (labels,), the number of documents
            of each label.

    Returns:
        dict for JSON. `duplicates` counts the documents whose text equals that of an
        earlier one in the same part. `tail_labels` is the fraction of the labels in the
        training part that have at most 5 documents there.

    Example:

    >>> found = summarize_data(
    ...     {"train": {"hashes": np.array([7, 7, 9]), "words": 6, "bad_lines": 1}},
    ...     {"train": np.array([3, 1])},
    ... )
    >>> found["train"]["duplicates"], found["train"]["labels_a_document"]
    (1, 1.3333)
    """
    summary = {}
    for part, statistics in parts.items():
        documents, counts = len(statistics["hashes"]), label_counts[part]
        distinct = len(np.unique(statistics["hashes"]))
        summary[part] = {
            "documents": documents,
            "bad_lines": statistics["bad_lines"],
            "labels": int(np.count_nonzero(counts)),
            "labels_a_document": round(float(counts.sum()) / max(1, documents), 4),
            "words_a_document": round(statistics["words"] / max(1, documents), 2),
            "duplicates": documents - distinct,
        }
    train = label_counts["train"]
    summary["labels"] = int(np.count_nonzero(sum(label_counts.values())))
    seen = np.count_nonzero(train)
    tail = np.count_nonzero((train > 0) & (train <= TAIL))
    summary["tail_labels"] = round(tail / max(1, seen), 4)
    if "test" in parts:
        in_train = np.isin(parts["test"]["hashes"], parts["train"]["hashes"])
        summary["test"]["texts_in_train"] = int(np.count_nonzero(in_train))
        unseen = (label_counts["test"] > 0) & (train == 0)
        summary["test"]["labels_not_in_train"] = int(np.count_nonzero(unseen))
    return summary
