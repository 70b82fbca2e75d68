"""What is in a data set, in figures."""

import numpy as np

from xmc_keras.cli.tables import align_columns

TAIL = 5  # training documents that a tail label has at most


def summarize_data(parts, label_counts):
    """Figures of a data set.

    Args:
        parts: dictionary from part, "train" and perhaps "test", to a dictionary of
            `hashes`, uint64 array (documents,) of their texts, `words` and `bad_lines`,
            ints.
        label_counts: dictionary from part to an int array (labels,): in how many
            documents each label is.

    Returns:
        Dictionary for JSON. Duplicates are documents whose text an earlier one of the
        same part has. A tail label has at most 5 training documents, of those that
        have one.

    Example:

    >>> found = summarize_data(
    ...     {"train": {"hashes": np.array([7, 7, 9]), "words": 6, "bad_lines": 1}},
    ...     {"train": np.array([3, 1])},
    ... )
    >>> found["train"]["duplicates"], found["train"]["labels_a_document"]
    (1, 1.3333)
    """
    found = {}
    for part, figures in parts.items():
        documents, counts = len(figures["hashes"]), label_counts[part]
        distinct = len(np.unique(figures["hashes"]))
        found[part] = {
            "documents": documents,
            "bad_lines": figures["bad_lines"],
            "labels": int(np.count_nonzero(counts)),
            "labels_a_document": round(float(counts.sum()) / max(1, documents), 4),
            "words_a_document": round(figures["words"] / max(1, documents), 2),
            "duplicates": documents - distinct,
        }
    train = label_counts["train"]
    found["labels"] = int(np.count_nonzero(sum(label_counts.values())))
    seen = np.count_nonzero(train)
    tail = np.count_nonzero((train > 0) & (train <= TAIL))
    found["tail_labels"] = round(tail / max(1, seen), 4)
    if "test" in parts:
        both = np.isin(parts["test"]["hashes"], parts["train"]["hashes"])
        found["test"]["texts_in_train"] = int(np.count_nonzero(both))
        unseen = (label_counts["test"] > 0) & (train == 0)
        found["test"]["labels_not_in_train"] = int(np.count_nonzero(unseen))
    return found


def format_summary(summary):
    """The summary as lines for a person."""
    parts = [part for part in ("train", "test") if part in summary]
    rows = [["", *parts]]
    for key in summary[parts[-1]]:
        cells = [summary[part].get(key, "") for part in parts]
        shown = [f"{cell:,}" if cell != "" else "" for cell in cells]
        rows.append([key.replace("_", " "), *shown])
    share = summary["tail_labels"]
    return (
        f"{align_columns(rows)}\n{summary['labels']:,} labels; {share:.1%} of those in "
        f"train have at most {TAIL} documents there."
    )
