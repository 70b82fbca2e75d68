"""Texts of labels, learnt as further documents, and titles, shown to people."""

import dataclasses
import logging
from pathlib import Path

import numpy as np

from xmc_keras.data.formats.document import TextRows
from xmc_keras.data.formats.find_format import find_existing
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digest

logger = logging.getLogger(__name__)

LABEL_TEXTS = "label_texts.txt"
LABEL_TITLES = "label_titles.txt"


def read_label_texts(folder):
    r"""Reads `label_texts.txt`: on each line a label, a tab and its text.

    Args:
        folder: string or path.

    Returns:
        Dictionary from label names to texts.

    Raises:
        BadInput: the file is missing or damaged, or a line has no text, or a label that
            an earlier one has.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "label_texts.txt")
    ...     _ = path.write_text("role::program\tA program to be run.\n")
    ...     read_label_texts(folder)
    {'role::program': 'A program to be run.'}
    """
    path = find_existing(folder, LABEL_TEXTS)
    if path is None:
        raise BadInput(
            f"Expected {LABEL_TEXTS} in this folder, plain or with .gz or .xz, for "
            "label_documents. Received: no such file.",
            folder,
            remedy="Write a label, a tab and its text on each line, or set "
            "label_documents to false.",
        )
    return _read_pairs(path)


def read_label_titles(folder):
    """Reads `label_titles.txt`: on each line a label, a tab and its title.

    Args:
        folder: string or path.

    Returns:
        Dictionary from label names to titles; empty without such a file.

    Raises:
        BadInput: see `read_label_texts`.
    """
    path = find_existing(folder, LABEL_TITLES)
    return {} if path is None else _read_pairs(path)


def _read_pairs(path):
    """Labels and what follows the tab, a dictionary; see `read_label_texts`."""
    check_digest(path, "Restore the file, or prepare the data again")
    texts = {}
    for line, row in TextRows(path):
        name, _, text = (part.strip() for part in row.partition("\t"))
        if not name or not text:
            received = f"{row[:60]!r}"
            message = f"Expected a label, a tab and a text. Received: {received}."
            raise BadInput(message, path, line)
        if name in texts:
            raise BadInput(
                f"Expected each label once. Received: {name!r:.60} again.", path, line
            )
        texts[name] = text
    return texts


def find_label_texts(documents):
    """The documents with `label_texts`, read from their folder if they have none.

    Args:
        documents: `Documents` of the training part.

    Raises:
        BadInput: see `read_label_texts`; or they are features, or not from a folder.
    """
    if getattr(documents, "features", None) is not None:
        raise BadInput(
            "Expected documents with texts for label_documents. Received: features.",
            documents.texts_path,
            remedy="Set label_documents to false.",
        )
    if documents.label_texts is not None:
        return documents
    if documents.texts_path is None:
        raise BadInput(
            "Expected documents with texts of labels for label_documents. Received: "
            "documents without.",
            remedy="Give them as `label_texts`, or set label_documents to false.",
        )
    texts = read_label_texts(Path(documents.texts_path).parent)
    return dataclasses.replace(documents, label_texts=texts)


def find_label_titles(documents, needed=False):
    """The titles of labels of documents, or those of the folder they are from.

    Args:
        documents: `Documents` or `FeatureDocuments` of the training part.
        needed: bool. Whether they have to have titles. Defaults to `False`.

    Returns:
        Dictionary from label names to titles, empty if there are none.

    Raises:
        BadInput: titles are `needed`, and there are none; or see `read_label_texts`.
    """
    titles = getattr(documents, "label_titles", None)
    if titles is None and documents.texts_path is not None:
        titles = read_label_titles(Path(documents.texts_path).parent)
    if needed and not titles:
        raise BadInput(
            f"Expected titles of labels, {LABEL_TITLES} of the data, for titles: true. "
            "Received: none.",
            documents.texts_path,
            remedy="Write them by `prepare_data` with `label_texts`, or set titles to "
            "false.",
        )
    return titles or {}


def add_label_documents(documents, label_texts, label_set):
    """Adds a document for each label that has a text.

    Texts of labels that no document of the training part has are left out: such a label
    has no place in the model.

    Args:
        documents: `Documents` to train on.
        label_texts: dictionary from label names to texts.
        label_set: `LabelSet` of the training part.

    Returns:
        `Documents`. Those added are the last, with one label each and a weight of 1.

    Raises:
        BadInput: there is no text of a label of the training part.

    Example:

    >>> from xmc_keras.data.documents import Documents
    >>> from xmc_keras.labels.label_set import LabelSet
    >>> documents, label_set = Documents(["a"], [["x"]]), LabelSet(["x"])
    >>> texts = {"x": "A letter.", "y": "Another."}
    >>> add_label_documents(documents, texts, label_set).texts
    ['a', 'A letter.']
    """
    names = [name for name in label_set.names if name in label_texts]
    if not names:
        raise BadInput(
            "Expected texts of labels of the training part, such as "
            f"{label_set.names[0]!r}. Received: {len(label_texts)} of others.",
            remedy=f"Check the names of {LABEL_TEXTS}, or set label_documents to "
            "false.",
        )
    logger.info(
        "%d labels have a text, which is learnt; %d have none",
        *(len(names), len(label_set) - len(names)),
    )
    weights, groups = documents.weights, documents.groups
    if weights is not None:
        weights = np.concatenate([weights, np.ones(len(names))])
    return dataclasses.replace(
        documents,
        texts=[*documents.texts, *(label_texts[name] for name in names)],
        labels=[*documents.labels, *([name] for name in names)],
        lines=[*documents.lines, *[None] * len(names)],
        weights=weights,
        groups=groups and [*groups, *[""] * len(names)],
    )
