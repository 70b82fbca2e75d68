"""Documents from texts and labels in memory."""

import numpy as np
import scipy.sparse

from xmc_keras.classifiers.label_names import read_labels
from xmc_keras.data.documents import Documents
from xmc_keras.data.feature_documents import FeatureDocuments
from xmc_keras.text.list_texts import list_texts


def read_labelled_texts(X, y, classes=None, new=False):
    """Reads texts, or rows of features, and their labels.

    Args:
        X: sequence of strings, see `list_texts`, or a sparse matrix.
        y, classes, new: see `read_labels`.

    Returns:
        `(documents, kind, classes)`: `Documents` or `FeatureDocuments`, whose labels
        are strings; for the others see `read_labels`.

    Raises:
        ValueError: texts or labels cannot be used.

    Example:

    >>> documents, _, classes = read_labelled_texts(["a rose", "a car"], [[7], [3, 7]])
    >>> documents.labels, classes.tolist()
    ([['7'], ['3', '7']], [3, 7])
    """
    kind, labels, classes = read_labels(y, classes, new)
    labels = [[str(label) for label in names] for names in labels]
    is_sparse = scipy.sparse.issparse(X)
    texts = X if is_sparse else list_texts(X)
    count = texts.shape[0] if is_sparse else len(texts)
    if count != len(labels):
        raise ValueError(
            f"Expected as many texts as labels of texts. Received: {count} texts, "
            f"{len(labels)} labels."
        )
    if is_sparse:
        rows = scipy.sparse.csr_matrix(texts, dtype=np.float32)
        lines = list(range(1, count + 1))
        return FeatureDocuments(rows, labels, lines, None, None), kind, classes
    for place, text in enumerate(texts):
        if not text.strip():
            raise ValueError(
                f"Expected texts. Received: {text!r:.80}, a blank one, at place "
                f"{place}. Leave it out."
            )
    return Documents(texts, labels), kind, classes


def read_validation_data(pair, classes, own_classes):
    """Reads a pair of texts and labels, of which some may be new.

    Args:
        pair: a pair, see `read_labelled_texts`.
        classes: the labels of training, which the columns of an indicator are.
        own_classes: optional sequence of labels, of which integers may be places.

    Returns:
        `Documents` or `FeatureDocuments`.
    """
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(
            "Expected `validation_data` to be a pair of texts and labels. Received: "
            f"{pair!r:.80}."
        )
    X, y = pair
    is_matrix = getattr(y, "ndim", 1) == 2
    return read_labelled_texts(X, y, classes if is_matrix else own_classes, True)[0]
