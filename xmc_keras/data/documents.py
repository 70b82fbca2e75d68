"""Documents and their labels, read from a folder of text files."""

import dataclasses
import hashlib
import itertools
import logging
import operator
import os

import numpy as np

from xmc_keras.data.document_groups import find_groups, list_groups
from xmc_keras.data.filters import leave_out
from xmc_keras.data.formats.document import BadLines
from xmc_keras.data.formats.folder import FolderPart
from xmc_keras.data.formats.label_vectors import BITS
from xmc_keras.files.bad_input import BadInput
from xmc_keras.text.list_texts import list_texts

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Documents:
    """Texts with the names of their labels.

    Args:
        texts: list of strings, one per document.
        labels: list of lists of strings. The label names of each document.
        lines: optional list of ints. The line of each document in both files, from 1.
            By default the documents are numbered.
        texts_path: optional string. The file that the texts were read from.
        labels_path: optional string. The file that the labels were read from.
        skipped: int. Number of bad lines left out of the files. Defaults to `0`.
        filtered: optional list of tuples of strings. The labels that evaluation leaves
            out for each document; `labels` does not contain them. Defaults to `None`,
            no filter.
        filter_path: optional string. The file that `filtered` was read from.
        weights: optional float array (documents,). The weight of each document in the
            losses of training; a mean of 1 leaves the rates of a config as they are.
        groups: optional sequence of strings or integers. The group of each document,
            such as its author. With `validation_by` in a config, no group is both
            trained on and validated on.
        label_texts: optional dictionary from label names to texts. With
            `label_documents` in a config they are learnt, too; otherwise nothing reads
            them.
        label_titles: optional dictionary from label names to titles, which people see,
            see `LabelSet`. By default those in `label_titles.txt` of the folder, if
            there is one.

    Raises:
        ValueError: the numbers of texts and of lists of labels, or of groups, differ, a
            text is not a string, the labels of a document are not a list of strings,
            or its group is no name.

    Example:

    >>> documents = Documents(["a", "b"], [["x"], ["y"]])
    >>> len(documents)
    2
    >>> documents.subset([1]).texts
    ['b']
    """

    texts: list[str]
    labels: list[list[str]]
    lines: list[int] | None = None
    texts_path: str | None = None
    labels_path: str | None = None
    skipped: int = 0
    filtered: list | None = None
    filter_path: str | None = None
    weights: np.ndarray | None = None
    groups: list | None = None
    label_texts: dict | None = None
    label_titles: dict | None = None

    def __post_init__(self):
        if self.lines is not None:  # read from files, and checked there
            return
        self.texts, self.labels = list_texts(self.texts), list(self.labels)
        if len(self.texts) != len(self.labels):
            raise ValueError(
                "Expected one list of labels per text. Received: "
                f"{len(self.texts)} texts, {len(self.labels)} lists of labels."
            )
        for i, names in enumerate(self.labels):
            if (
                isinstance(names, str)
                or not hasattr(names, "__iter__")
                or not all(isinstance(name, str) for name in names)
            ):
                raise ValueError(
                    "Expected a list of label names for each text. Received: "
                    f"{names!r:.80} for text {i}."
                )
        if self.groups is not None:
            self.groups = list_groups(self.groups, len(self.texts))
        self.lines = list(range(1, len(self.texts) + 1))

    def __len__(self):
        return len(self.texts)

    def subset(self, indices) -> "Documents":
        """The documents at `indices` (integers, not a mask), in their order."""
        indices = [operator.index(index) for index in indices]
        return dataclasses.replace(
            self,
            texts=[self.texts[index] for index in indices],
            labels=[self.labels[index] for index in indices],
            lines=[self.lines[index] for index in indices],
            filtered=self.filtered and [self.filtered[index] for index in indices],
            weights=None if self.weights is None else self.weights[indices],
            groups=self.groups and [self.groups[index] for index in indices],
        )


def read_documents(
    folder, part: str, skip_bad_lines: bool = False, groups=None
) -> Documents:
    """Reads one part of a data set in the format of AttentionXML and LightXML.

    The texts are in `{part}_raw_texts.txt` or `{part}_texts.txt`, one document per
    line. The labels of each document are on the same line of `{part}_labels.txt`,
    separated by white space. Each file may be compressed (`.gz`, `.xz`). If both
    files of texts exist, the raw one is read: the other contains the tokens that
    AttentionXML's preprocessing writes.

    The test part may have a `test_filter.txt`, written by `prepare_data`: on each line
    the labels that evaluation leaves out for a document, if any. They are removed from
    the document's own labels, which may leave it without labels.

    Args:
        folder: string or path.
        part: string, `"train"` or `"test"`.
        skip_bad_lines: bool. Whether to skip, count and log documents without a text,
            without labels or with invalid UTF-8; otherwise the first one raises
            `BadInput`. Defaults to `False`.
        groups: optional string. A file of the folder with the group of each document
            on its line. Defaults to `None`, no groups.

    Returns:
        `Documents`, not empty.

    Raises:
        BadInput: a file is missing, empty or damaged, or the files differ in length.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "train_texts.txt").write_text("red rose")
    ...     _ = pathlib.Path(folder, "train_labels.txt").write_text("warm plant")
    ...     read_documents(folder, "train").labels
    [['warm', 'plant']]
    """
    if part not in ("train", "test"):
        raise ValueError(f"Expected part 'train' or 'test'. Received: {part!r}.")
    texts_path = _find(folder, f"{part}_raw_texts.txt", f"{part}_texts.txt")
    labels_path = _find(folder, f"{part}_labels.txt")
    filter_path = _find_first(folder, "test_filter.txt") if part == "test" else None
    groups_path = find_groups(folder, groups)
    return read_pair(texts_path, labels_path, skip_bad_lines, filter_path, groups_path)


def read_pair(
    texts_path,
    labels_path,
    skip_bad_lines: bool = False,
    filter_path=None,
    groups_path=None,
) -> Documents:
    """Reads texts and labels by their paths, in the format of `read_documents`."""
    documents = Documents([], [], [], str(texts_path), str(labels_path))
    filtered, groups = [], []
    seen = {}  # keeps one string in memory for a label that is on many lines
    bad_lines = BadLines()
    skip = bad_lines if skip_bad_lines else None
    part = FolderPart(texts_path, labels_path, skip, filter_path, groups_path)
    for text, names, line, left_out, group in part:
        if names[0] in BITS and set(names) <= BITS and len(names) > len(set(names)):
            raise BadInput(
                "Expected labels separated by white space. Received: a vector of "
                f"zeros and ones, {' '.join(names)[:60]}.",
                labels_path,
                line,
                "Convert the folder with `prepare_data`, which reads vectors.",
            )
        documents.texts.append(text)
        documents.labels.append([seen.setdefault(name, name) for name in names])
        documents.lines.append(line)
        filtered.append(left_out)
        groups.append(seen.setdefault(group, group))
    if groups_path is not None:
        documents.groups = groups
    if filter_path is not None:
        leave_out(documents, filtered, filter_path)
    documents.skipped = bad_lines.count
    counts = f"{len(documents)} documents, {documents.skipped} bad lines left out"
    if not len(documents):
        raise BadInput(
            f"Expected documents. Received: {counts}. The first: {bad_lines.first}",
            texts_path,
        )
    if documents.skipped:
        logger.warning("%s: %s. The first: %s", texts_path, counts, bad_lines.first)
    return documents


def documents_digest(documents):
    """Hex digest of documents and their labels.

    Args:
        documents: `Documents` or `FeatureDocuments`.

    Example:

    >>> documents = Documents(["a", "b"], [["x"], ["y"]])
    >>> documents_digest(documents) == documents_digest(documents.subset([1, 0]))
    False
    """
    digest = hashlib.sha256()
    features = getattr(documents, "features", None)
    if documents.weights is not None:
        digest.update(np.asarray(documents.weights, np.float64).tobytes())
    texts = documents.texts
    if features is not None:
        digest.update(repr(features.shape).encode())
        for array in (features.indptr, features.indices, features.data):
            digest.update(array.tobytes())
        texts = [""] * len(documents)
    for text, labels in zip(texts, documents.labels):
        # With their lengths, so that different lists never have the same bytes.
        for part in (text.encode(), " ".join(labels).encode()):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _find(folder, *names):
    """The path of the first file that exists; raises `BadInput` if there is none."""
    if path := _find_first(folder, *names):
        return path
    problem = "none of these" if os.path.isdir(folder) else "no such folder"
    raise BadInput(
        f"Expected {' or '.join(names)} in this folder, plain or with .gz or .xz. "
        f"Received: {problem}.",
        folder,
        remedy="Convert other formats with `prepare_data`; `download_set` gets the "
        "benchmark sets of the papers.",
    )


def _find_first(folder, *names):
    """The path of the first file that exists, compressed or not; None without any."""
    for name, suffix in itertools.product(names, ("", ".gz", ".xz")):
        path = os.path.join(folder, name + suffix)
        if os.path.exists(path):
            return path
    return None
