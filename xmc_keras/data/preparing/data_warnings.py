"""Warnings about data that was probably read in another way than it was meant."""

import unicodedata

import numpy as np

SEPARATORS = ",;|，；、"
TRUTHS = [{"0", "1"}, {"0.0", "1.0"}, {"true", "false"}, {"yes", "no"}]
MAX_TOKENS = 128  # the default of `Config.max_tokens`
OFTEN = 0.1  # share of documents that repeat another one's text
EXAMPLES = 3


def find_warnings(
    names,
    counts,
    summary,
    sample,
    repeats,
    separator=None,
    remedy=None,
    is_numbered=False,
    ambiguous=None,
):
    """Finds signs that labels or texts were read in another way than meant.

    Args:
        names: list of strings. All label names, as they were read.
        counts: dict from part to an int array (labels,), the documents of each label.
        summary: dict, see `summarize_data`.
        sample: pair of texts and lists of labels, see `sample_documents`.
        repeats: list of pairs of a text and its number of documents, the most frequent
            texts of the training part.
        separator: optional string between labels of a cell. Defaults to white space.
        remedy: optional string. What to do if it is another one. Defaults to `None`:
            labels were not separated, but in lists or numbers.
        is_numbered: bool. Whether labels are the places in vectors, whose names are
            numbers as they should be. Defaults to `False`.
        ambiguous: optional string. A cell that was split at white space, while others
            are lists.

    Returns:
        list of strings. Each says what was found, with counts and up to three examples,
        and what to do.

    Example:

    >>> from xmc_keras.data.preparing.data_summary import summarize_data
    >>> counts = {"train": np.array([2, 1])}
    >>> part = {"hashes": np.array([1, 2, 3]), "words": 3, "bad_lines": 0}
    >>> summary = summarize_data({"train": part}, counts)
    >>> sample = ["a", "b", "c"], [["0"], ["0"], ["1"]]
    >>> find_warnings(["0", "1"], counts, summary, sample, [])
    ["The only labels are '0' (2 documents), '1' (1 document). Where each label has a
    column of 0 and 1, give all of them as `label_column`, separated by commas."]
    """
    labels = _Counted(names, sum(counts.values()))
    documents = sum(summary.get(p, {}).get("documents", 0) for p in ("train", "test"))
    found = [
        remedy and _unused_separator(labels, documents, separator, remedy),
        remedy and _separators_in_names(labels, sample[1], separator, remedy),
        ambiguous and _ambiguous_cells(ambiguous),
        _twins(labels),
        None if is_numbered else _truths(labels),
        _on_every_document(labels, documents),
        _repeated_texts(summary, repeats),
        _long_texts(sample[0]),
        _test_labels_unknown(summary.get("test")),
    ]
    return [warning for warning in found if warning]


def find_undescribed(vocabulary, names):
    """Says which labels a vocabulary lacks, where it has others; or `None`.

    Args:
        vocabulary: `Vocabulary`.
        names: list of strings. The labels of the data.

    Example:

    >>> from xmc_keras.labels.vocabulary import Vocabulary
    >>> find_undescribed(Vocabulary({"x:1": "Rose"}), ["x:1", "x:2"])
    "1 of 2 labels has no title and no text, such as 'x:2'."
    """
    known = {*vocabulary.titles, *vocabulary.texts}
    left = [name for name in names if name not in known]
    if not left or len(left) == len(names):
        return None
    shown = ", ".join(repr(name[:60]) for name in left[:EXAMPLES])
    have = "has" if len(left) == 1 else "have"
    return (
        f"{len(left):,} of {len(names):,} labels {have} no title and no text, such as "
        f"{shown}."
    )


class _Counted:
    """Label names, and the number of documents of each."""

    def __init__(self, names, counts):
        self.names = [name for name, count in zip(names, counts) if count]
        self.counts = dict(zip(names, map(int, counts)))

    def examples(self, names, ascii_only=False):
        """A list of up to three names and their counts."""
        show = ascii if ascii_only else repr
        return ", ".join(
            f"{show(name[:60])} ({count_documents(self.counts[name])})"
            for name in list(names)[:EXAMPLES]
        )

    def most(self):
        """The names, those of the most documents first."""
        return sorted(self.names, key=lambda name: -self.counts[name])


def count_documents(number):
    """The words "1 document" or "2 documents".

    Example:

    >>> count_documents(1), count_documents(2000)
    ('1 document', '2,000 documents')
    """
    return f"{number:,} document{'s' * (number != 1)}"


def _unused_separator(labels, documents, separator, remedy):
    if separator is None or sum(labels.counts.values()) > documents:
        return None
    return (
        f"The separator {separator!r} is in no cell, or separates nothing: each "
        f"document has one label, such as {labels.examples(labels.most())}. If "
        f"another one separates labels, {remedy}."
    )


def _separators_in_names(labels, sample, separator, remedy):
    for mark in SEPARATORS.replace(separator or " ", ""):
        holding = [name for name in labels.most() if mark in name]
        documents = sum(any(mark in name for name in names) for names in sample)
        # A name that consists of other names.
        joined = [
            name
            for name in holding
            if all(part.strip() in labels.counts for part in name.split(mark))
        ]
        number = sum(labels.counts[name] for name in joined)
        most, several = 2 * documents > len(sample), 100 * number >= len(sample)
        if not most and not (joined and several):
            continue
        share = f"{documents:,} of {len(sample):,} documents" + " looked at" * (
            len(sample) >= 10_000
        )
        by = "white space" if separator is None else repr(separator)
        return (
            f"{share} have a label that holds {mark!r}, while labels are separated by "
            f"{by}: {labels.examples(joined or holding)}. If it separates labels, "
            f"{remedy}."
        )
    return None


def _ambiguous_cells(cell):
    return (
        "Some label cells are lists, and others text that is split at white space, "
        f"such as {cell[:60]!r}. Write all as lists, or give a separator that is in "
        "none as `label_separator`."
    )


def _twins(labels):
    groups = {}
    for name in labels.names:
        if not name.isascii() or not name.isprintable():
            groups.setdefault(_seen(name), []).append(name)
    for name in labels.names:
        if name in groups and name not in groups[name]:
            groups[name].append(name)
    twins = [names for names in groups.values() if len(names) > 1]
    if not twins:
        return None
    twins.sort(key=lambda names: -sum(labels.counts[name] for name in names))
    shown = "; ".join(labels.examples(names, True) for names in twins[:EXAMPLES])
    more = f"; and {len(twins) - EXAMPLES:,} more" if len(twins) > EXAMPLES else ""
    return (
        "Labels that look the same differ in invisible characters or Unicode form "
        f"alone, and stay different labels: {shown}{more}. Write each in one way, such "
        "as NFC."
    )


def _seen(name):
    """A name as it is seen: composed, and without characters that are not visible."""
    composed = unicodedata.normalize("NFKC", name)
    shown = (c for c in composed if unicodedata.category(c) not in ("Cf", "Cc"))
    visible = "".join(c for c in shown if not "\ufe00" <= c <= "\ufe0f")
    return " ".join(unicodedata.normalize("NFKC", visible).split())


def _truths(labels):
    names = {name.lower() for name in labels.names}
    digits = all(set(name) <= set("01") for name in names)
    if not any(names <= truth for truth in TRUTHS) and not digits:
        return None
    return (
        f"The only labels are {labels.examples(labels.most())}. Where each label has a "
        "column of 0 and 1, give all of them as `label_column`, separated by commas."
    )


def _on_every_document(labels, documents):
    always = [name for name in labels.names if labels.counts[name] == documents]
    if not always or documents < 2:
        return None
    return (
        f"{len(always):,} label{'s are' if len(always) > 1 else ' is'} on every "
        f"document, and of no use: {labels.examples(always)}. Leave out such labels, "
        "or check that the columns and separators are as meant."
    )


def _repeated_texts(summary, repeats):
    train = summary["train"]
    if train["duplicates"] < OFTEN * train["documents"] or not repeats:
        return None
    shown = ", ".join(f"{text[:60]!r} ({number:,} times)" for text, number in repeats)
    return (
        f"{train['duplicates']:,} of {count_documents(train['documents'])} repeat the "
        f"text of an earlier one: {shown}. Check that the text column is as meant, and "
        "join the labels of equal texts."
    )


def _long_texts(texts):
    # Each word has a token or more, and each document two of its own.
    words = np.array([len(text.split()) for text in texts])
    cut = np.count_nonzero(words > MAX_TOKENS - 2)
    if 2 * cut <= len(words):
        return None
    return (
        f"{cut:,} of {len(words):,} documents are longer than {MAX_TOKENS} tokens, the "
        f"default of max_tokens, and a transformer does not see the rest: the median "
        f"has {int(np.median(words)):,} words. Set a larger max_tokens in the recipe."
    )


def _test_labels_unknown(test):
    if not test or not test["labels"] or test["labels_not_in_train"] < test["labels"]:
        return None
    return (
        f"None of the {test['labels']:,} labels of the test part is in the training "
        "part: a model cannot be evaluated. Check that both are of the same data, and "
        "have labels on several documents."
    )
