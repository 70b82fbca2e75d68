"""Pairs (document, label) that evaluation leaves out, as a matrix."""

import logging

from xmc_keras.bad_input import BadInput

logger = logging.getLogger(__name__)


def encode_filtered_labels(documents, label_set):
    """The pairs that are left out of rankings, for `filter_ranking`.

    Filter files of the Extreme Classification Repository hold them: a document that is
    a label itself, say, must not be counted for finding itself. The documents' own
    labels are without them already.

    Args:
        documents: `Documents` or `FeatureDocuments`, with `filtered`.
        label_set: `LabelSet`.

    Returns:
        csr matrix of ones (documents, labels); None for documents without a filter.
        Labels that are not in the set, which cannot be predicted, are not in it.

    Raises:
        BadInput: the set has none of these labels, so the filter is of other data.

    Example:

    >>> from xmc_keras.labels.label_set import LabelSet
    >>> from xmc_keras.data.documents import Documents
    >>> documents = Documents(["a", "b"], [["x"], ["y"]], [1, 2], "t.txt", "l.txt")
    >>> documents.filtered = [(), ("x", "z")]
    >>> encode_filtered_labels(documents, LabelSet(["x", "y"])).toarray().tolist()
    [[0.0, 0.0], [1.0, 0.0]]
    """
    if documents.filtered is None:
        return None
    known = label_set.encode(documents.filtered)[:, : len(label_set)]
    first = next((i for i, names in enumerate(documents.filtered) if names), None)
    if first is not None and not known.nnz:
        lines = None if hasattr(documents, "features") else documents.lines
        raise BadInput(
            "Expected labels of the training part, such as "
            f"{label_set.names[0]!r}. Received: {documents.filtered[first][0][:80]!r} "
            "and no known one. Give the filter file of the same data set, or remove "
            "it.",
            documents.filter_path,
            lines and lines[first],
        )
    return known


def leave_out(documents, filtered, path):
    """Moves labels of documents to `filtered`, for `encode_filtered_labels`.

    Args:
        documents: `Documents` or `FeatureDocuments`, changed in place.
        filtered: list of tuples of strings, one a document.
        path: string or path, that they were read from.

    Example:

    >>> from xmc_keras.data.documents import Documents
    >>> documents = Documents(["a", "b"], [["x"], ["x", "y"]], [1, 2], "t", "l")
    >>> leave_out(documents, [(), ("x", "z")], "test_filter.txt")
    >>> documents.labels
    [['x'], ['y']]
    """
    relevant = sum(map(len, documents.labels))
    documents.labels = [
        [name for name in names if name not in gone] if gone else names
        for names, gone in zip(documents.labels, filtered, strict=True)
    ]
    relevant -= sum(map(len, documents.labels))
    documents.filtered, documents.filter_path = filtered, str(path)
    pairs = sum(map(len, filtered))
    logger.info(
        "%s: %d pairs of document and label left out, %d of them relevant",
        *(path, pairs, relevant),
    )
