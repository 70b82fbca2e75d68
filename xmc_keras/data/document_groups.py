"""Groups of documents that validation takes away together."""

import numbers

import numpy as np

from xmc_keras.data.formats.document import TextRows
from xmc_keras.data.formats.find_format import find_existing
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digest


def list_groups(groups, num_documents):
    """The names of groups as a list of strings, one per document.

    >>> list_groups((7, "a"), 2)
    ['7', 'a']
    """
    groups = list(groups)
    if len(groups) != num_documents:
        raise ValueError(
            "Expected one group per document. Received: "
            f"{num_documents} documents, {len(groups)} groups."
        )
    for i, group in enumerate(groups):
        if not isinstance(group, str | numbers.Integral) or not str(group).strip():
            raise ValueError(
                "Expected the name or number of a group for each document. Received: "
                f"{group!r:.80} for document {i}."
            )
    return [str(group).strip() for group in groups]


def find_groups(folder, name):
    """The path of a file of groups, compressed or not; None if `name` is None.

    Raises:
        BadInput: there is no such file.
    """
    if name is None:
        return None
    if path := find_existing(folder, name):
        return path
    raise BadInput(
        f"Expected {name} in this folder, plain or with .gz or .xz, for validation_by. "
        "Received: no such file.",
        folder,
        remedy="Write the group of each training document on its line, or set "
        "validation_by to null.",
    )


def read_groups(path, num_documents):
    """Reads the groups of all documents of a part, one per line.

    Raises:
        BadInput: the numbers differ, a line is empty, or the file is damaged.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train_groups.txt")
    ...     _ = path.write_text("Ann\\nBob\\nAnn\\n")
    ...     read_groups(path, 3)
    ['Ann', 'Bob', 'Ann']
    """
    check_digest(path, "Restore the file, or prepare the data again")
    groups = [line.strip() for _, line in TextRows(path)]
    if len(groups) != num_documents:
        raise BadInput(
            f"Expected a line for each of {num_documents} documents. Received: "
            f"{len(groups)} lines.",
            path,
            1 + min(num_documents, len(groups)),
        )
    if "" in groups:
        raise BadInput(
            "Expected a group. Received: an empty line.", path, 1 + groups.index("")
        )
    return groups


def draw_groups(groups, size, seed):
    """Draws whole groups of documents at random, with `size` documents in all.

    If no groups have that number together, those are drawn whose number of documents is
    closest, the smaller of two. Groups are taken in a random order, as a knapsack:
    a large group is as likely to be among the first as a small one.

    Args:
        groups: list of strings, the group of each document.
        size: int of at least 1. Documents to draw.
        seed: int. The same seed draws the same groups, whatever the order of documents.

    Returns:
        Bool array (documents,). Whether a document is drawn; some are not.

    Raises:
        BadInput: there is one group alone, or all are too large: to draw none would
            come as close to `size`.

    Example:

    >>> draw_groups(["a", "b", "a", "c"], 3, seed=0).tolist()
    [True, False, True, True]
    """
    numbers = {name: number for number, name in enumerate(sorted(set(groups)))}
    places = np.array([numbers[name] for name in groups])
    counts = np.bincount(places)
    if len(counts) == 1:
        raise BadInput(
            "Expected two groups of documents or more, one to validate on. Received: "
            f"all {len(groups)} of the group {groups[0]!r:.60}.",
            remedy="Check the file of groups, or set validation_by to null.",
        )
    # At twice the size, no document at all is as close. All documents are too many.
    most = min(2 * size - 1, len(groups) - 1)
    last = np.full(most + 1, -1)  # by number of documents: the group that reached it
    is_reached = np.arange(most + 1) == 0
    uses = np.zeros(most + 1, np.int64)  # groups of this size so far
    for group in np.random.default_rng(seed).permutation(len(counts)):
        count = counts[group]
        if count > most or uses[count] == most // count:
            continue
        uses[count] += 1
        is_new = np.zeros_like(is_reached)
        is_new[count:] = is_reached[:-count] & ~is_reached[count:]
        last[is_new] = group
        is_reached |= is_new
        if size <= most and is_reached[size]:
            break
    reached = np.flatnonzero(is_reached[1:]) + 1
    if not len(reached):
        raise BadInput(
            "Expected groups of documents of which some have about as many as "
            f"validation_documents, {size}. Received: at least {counts.min()} in each "
            f"of {len(counts)} groups.",
            remedy=f"Set validation_documents to {counts.min()} or more, or "
            "validation_by to null.",
        )
    left = reached[np.argmin(np.abs(reached - size))]
    drawn = []
    while left:
        drawn.append(last[left])
        left -= counts[last[left]]
    return np.isin(places, drawn)
