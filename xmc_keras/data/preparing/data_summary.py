"""Summary statistics of a data set."""

import numpy as np

TAIL = 5  # maximum number of training documents of a tail label
SHOWN = 3  # label names, or texts


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


def count_described(vocabulary, names):
    """Counts the labels that have a text, and those that have a title.

    Args:
        vocabulary: `Vocabulary`.
        names: list of strings. The labels of the data.

    Returns:
        dict of `label_texts` and `label_titles`; empty if there are neither.

    Example:

    >>> from xmc_keras.labels.vocabulary import Vocabulary
    >>> count_described(Vocabulary({"x:1": "Rose"}), ["x:1", "x:2"])
    {'label_texts': 0, 'label_titles': 1}
    """
    counts = [
        sum(name in found for name in names)
        for found in (vocabulary.texts, vocabulary.titles)
    ]
    return dict(zip(("label_texts", "label_titles"), counts)) if any(counts) else {}


def select_names(names, counts):
    """Selects label names to look at.

    Args:
        names: list of strings.
        counts: int array (labels,), the number of documents of each.

    Returns:
        dict of `most_frequent`, the three most frequent names, and `others`, up to
        three others, evenly spaced from the rarest on: dicts from name to its count.

    Example:

    >>> found = select_names(["a", "b", "c", "d", "e"], np.array([5, 9, 7, 1, 3]))
    >>> found["most_frequent"], found["others"]
    ({'b': 9, 'c': 7, 'a': 5}, {'d': 1, 'e': 3})
    """
    order = np.argsort(-counts, kind="stable")
    rest = order[SHOWN:][::-1]
    rest = rest[:: max(1, len(rest) // SHOWN)][:SHOWN]
    return {
        kind: {names[i]: int(counts[i]) for i in found}
        for kind, found in (("most_frequent", order[:SHOWN]), ("others", rest))
    }


def find_repeats(path, hashes):
    """Finds the texts of the most documents.

    Args:
        path: path of a UTF-8 file with one text per line.
        hashes: uint64 array (documents,) of the texts.

    Returns:
        list of up to three pairs of a text and its number of documents, more than one.
    """
    _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:SHOWN]
    most = [i for i in most if counts[i] > 1]
    lines = {int(first[i]): None for i in most}
    if lines:
        with open(path, "rb") as file:
            for number, line in zip(range(max(lines) + 1), file):
                if number in lines:
                    lines[number] = line.decode().rstrip("\n")
    return [(lines[int(first[i])], int(counts[i])) for i in most]
