"""Filtered labels of documents, which evaluation leaves out."""

import logging

from xmc_keras.files.bad_input import BadInput

logger = logging.getLogger(__name__)


def encode_filtered_labels(documents, label_set):
    """Encodes the (document, label) pairs to drop from rankings, for `filter_ranking`.

    They come from the filter files of the Extreme Classification Repository: if a
    document is itself a label, for example, predicting it is not a success. They are
    already removed from the documents' labels.

    Args:
        documents: `Documents` or `FeatureDocuments`, with `filtered`.
        label_set: `LabelSet`.

    Returns:
        csr matrix of ones (documents, labels); `None` for documents without a filter.
        Labels that are not in the set are left out, as they cannot be predicted.

    Raises:
        BadInput: none of the filtered labels is in the set, so the filter belongs to
            other data.

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
            "and no known label. Use the filter file of the same data set, or delete "
            "it.",
            documents.filter_path,
            lines and lines[first],
        )
    return known


def leave_out(documents, filtered, path):
    """Sets the filtered labels of documents and removes them from their labels.

    Args:
        documents: `Documents` or `FeatureDocuments`, changed in place.
        filtered: list of tuples of strings, the filtered labels of each document.
        path: string or path. The file that they were read from.

    Example:

    >>> from xmc_keras.data.documents import Documents
    >>> documents = Documents(["a", "b"], [["x"], ["x", "y"]], [1, 2], "t", "l")
    >>> leave_out(documents, [(), ("x", "z")], "test_filter.txt")
    >>> documents.labels
    [['x'], ['y']]
    """
    relevant = sum(map(len, documents.labels))
    documents.labels = [
        [name for name in names if name not in dropped] if dropped else names
        for names, dropped in zip(documents.labels, filtered, strict=True)
    ]
    relevant -= sum(map(len, documents.labels))
    documents.filtered, documents.filter_path = filtered, str(path)
    pairs = sum(map(len, filtered))
    logger.info(
        "%s: filtered %d pairs of document and label, %d of them relevant",
        *(path, pairs, relevant),
    )
