"""Label names from what users have as `y`."""

from collections.abc import Mapping, Set

import numpy as np
import scipy.sparse

from xmc_keras.text.list_texts import plain_values

# What `y` was, and what `predict` returns.
LISTS, SINGLE, INDICATOR = "lists", "single", "indicator"


def read_labels(y, classes=None, new=False):
    """Reads the labels of documents.

    Args:
        y: a list of lists of labels; a list of labels, one per document; or an
            indicator, a dense array, DataFrame or sparse matrix (documents, labels) of
            zeros and ones. Labels are strings or integers. A document may have no
            label. A column of `datasets` or Arrow is a list, too.
        classes: optional sequence of labels. The columns of an indicator, by default
            numbered from 0, or named by the DataFrame; for lists all labels in the
            order wanted, by default those that occur, sorted. If they are strings and
            the labels of lists integers, these are places in `classes`, as those of
            `ClassLabel` in `datasets`.
        new: bool. Whether lists may have labels that are not in `classes`. Defaults to
            `False`.

    Returns:
        `(kind, labels, classes)`: `"lists"`, `"single"` or `"indicator"`; a list of
        lists of labels; and an array of labels.

    Raises:
        ValueError: `y` is something else, or has labels that are not in `classes`.

    Example:

    >>> read_labels([["sea", "sky"], []])
    ('lists', [['sea', 'sky'], []], array(['sea', 'sky'], dtype=object))
    >>> read_labels([7, 10, 7])[1:]
    ([[7], [10], [7]], array([7, 10], dtype=object))
    >>> read_labels([[1], []], classes=["sea", "sky"])[1]
    [['sky'], []]
    >>> read_labels(np.array([[1, 0], [1, 1]]), classes=["sea", "sky"])[1]
    [['sea'], ['sea', 'sky']]
    """
    y = plain_values(y)
    if not scipy.sparse.issparse(y) and (
        isinstance(y, (str, bytes, Mapping, Set))  # a set has no order
        or not hasattr(y, "__iter__")
        or getattr(y, "ndim", 1) == 0
    ):
        raise ValueError(
            "Expected `y` to be a list of lists of labels. Received: "
            f"{y!r:.80} of type {type(y).__name__}."
        )
    if getattr(y, "ndim", 1) == 2 and not _has_objects(y):
        return INDICATOR, *_read_indicator(y, classes)
    items = list(y)
    single = [isinstance(x, (str, int)) or _is_scalar(x) for x in items]
    kind = SINGLE if items and all(single) else LISTS
    labels = []
    for place, item in enumerate(items):
        if kind == SINGLE:
            item = [item]
        elif single[place] or isinstance(item, bytes) or not hasattr(item, "__iter__"):
            raise ValueError(
                "Expected a list of labels for each document. Received: "
                f"{item!r:.80} at place {place}."
            )
        labels.append([_check_label(label, place) for label in item])
    _check_no_indicator(items, labels)
    found = {label for names in labels for label in names}
    if len({str(label) for label in found}) < len(found):
        raise ValueError(
            "Expected labels that differ as text. Received: an integer and a string "
            "that are written alike."
        )
    strings = any(isinstance(label, str) for label in found)
    if classes is None:
        classes = sorted(found, key=str if strings else None)
    classes = check_classes(classes)
    named = len(classes) > 0 and all(isinstance(name, str) for name in classes)
    if named and found and not strings:
        if wrong := found.difference(range(len(classes))):
            raise ValueError(
                f"Expected places in `classes`, from 0 to {len(classes) - 1}. "
                f"Received: {min(wrong)}."
            )
        labels = [[classes[place] for place in names] for names in labels]
    elif not new and (unknown := found.difference(classes.tolist())):
        raise ValueError(
            f"Expected labels of `classes`. Received: {min(unknown, key=str)!r:.80}"
            f"{' and others' * (len(unknown) > 1)}."
        )
    return kind, labels, classes


def _has_objects(y):
    """Whether a matrix has labels, and not numbers."""
    return not scipy.sparse.issparse(y) and np.asarray(y).dtype.kind in "OSU"


def _read_indicator(y, classes):
    """Labels and classes of an indicator."""
    if classes is None and hasattr(y, "columns"):  # a DataFrame
        classes = list(y.columns)
    matrix = scipy.sparse.csr_matrix(y if scipy.sparse.issparse(y) else np.asarray(y))
    matrix.eliminate_zeros()
    if matrix.nnz and not (matrix.data == 1).all():
        wrong = matrix.data[matrix.data != 1][0]
        raise ValueError(
            "Expected an indicator of zeros and ones as `y`. Received: "
            f"{wrong!r:.80}. Labels are lists: `[['a', 'b'], ['c']]`."
        )
    classes = check_classes(range(matrix.shape[1]) if classes is None else classes)
    if len(classes) != matrix.shape[1]:
        raise ValueError(
            f"Expected {len(classes)} columns of `y`, one for each of `classes`. "
            f"Received: {matrix.shape[1]}."
        )
    columns = np.split(matrix.indices, matrix.indptr[1:-1])
    return [classes[part].tolist() for part in columns], classes


def _is_scalar(value):
    """Whether it is a number of NumPy, or a tensor without dimensions."""
    return getattr(value, "ndim", None) == 0


def _check_label(label, place):
    if not isinstance(label, str) and _is_scalar(label):
        label = np.asarray(label).item()
    if isinstance(label, bool) or not isinstance(label, (str, int)):
        raise ValueError(
            "Expected labels that are strings or integers. Received: "
            f"{label!r:.80} of type {type(label).__name__} at place {place}."
        )
    if isinstance(label, str) and (not label.strip() or label != label.strip()):
        raise ValueError(
            "Expected labels without white space around them, and not empty. "
            f"Received: {label!r:.80} at place {place}."
        )
    return str(label) if isinstance(label, str) else label


def _check_no_indicator(items, labels):
    """Raises `ValueError` for rows of zeros and ones as lists: are they labels?"""
    if not any(len(names) > len(set(names)) for names in labels):
        return
    if len({len(names) for names in labels}) == 1 and {0, 1}.issuperset(
        label for names in labels for label in names
    ):
        raise ValueError(
            "Expected lists of labels. Received: lists of zeros and ones. Pass an "
            "indicator as an array: `np.array(y)`."
        )


def check_classes(classes):
    """The classes as an array of objects: strings, or integers."""
    found = [_check_label(label, place) for place, label in enumerate(classes)]
    if len({str(label) for label in found}) < len(found):
        raise ValueError("Expected `classes` that differ. Received: one twice.")
    array = np.empty(len(found), object)
    array[:] = found
    return array
