"""Data sets that come as weighted features instead of texts."""

import fnmatch
import logging
import os
from pathlib import Path

import scipy.sparse

from xmc_keras.bad_input import BadInput
from xmc_keras.data.features.bag_of_words import BagOfWords, canonicalize
from xmc_keras.data.features.feature_file import read_feature_file

logger = logging.getLogger(__name__)

# What a part is called in file names.
NAMES = {"train": ("trn", "train"), "test": ("tst", "test")}
PATTERNS = (
    "{short}_X_Xf.txt",
    "X.{short}.npz",
    "{long}.txt",
    "*_{long}.txt",
    "{long}.svm",
    "{long}.libsvm",
)
COMPRESSED = ("", ".gz", ".xz")


def read_features(path, part=None, num_features=None, num_labels=None) -> BagOfWords:
    """Reads one part of a data set of weighted features.

    - `train.txt` or `<name>_train.txt`: the form of the Extreme Classification
      Repository, a line `documents features labels`, then for each document a line
      `label,label id:weight id:weight`.
    - `trn_X_Xf.txt` and `trn_X_Y.txt`: the same in two files of `id:weight` lines, each
      with a first line, `documents features` and `documents labels`.
    - `train.svm`, `train.libsvm` or `train.txt`: libsvm, the same without a first line.
    - `X.trn.npz` and `Y.trn.npz`: PECOS, matrices that `scipy.sparse.save_npz` wrote.

    For the test part `test` and `tst` take the place of `train` and `trn`. Text files
    may be compressed (`.gz`, `.xz`). Ids count from 0; in a file without a first line
    that counts from 1, feature 0 and label 0 are unused. Weights stay as they are:
    `sklearn.preprocessing.normalize` gives rows of norm 1.

    Args:
        path: string or path. The folder, or the first of the files named above.
        part: optional string, `"train"` or `"test"`; for a folder.
        num_features: optional int. Features of the training part, for another: those
            that it did not have are left out and logged where the file says nothing
            of their number, and are an error where it does.
        num_labels: optional int. Labels of the training part, the least number of
            columns of the label matrix. Labels beyond are relevant and unreachable.

    Returns:
        `BagOfWords`.

    Raises:
        BadInput: with path and line, what is missing or wrong.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "train.txt").write_text("2 4 3\\n0,2 1:0.5\\n1 0:1\\n")
    ...     _ = Path(folder, "test.svm").write_text("1 3:1 9:1\\n")
    ...     train = read_features(folder, "train")
    ...     test = read_features(folder, "test", train.num_features, train.num_labels)
    >>> train.label_matrix.toarray().tolist(), test.features.shape
    ([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], (1, 4))
    """
    path = Path(path)
    if path.is_dir():
        if part not in NAMES:
            raise ValueError(f"Expected part 'train' or 'test'. Received: {part!r}.")
        path = _find(path, part)
    name, first_line = path.name, None
    if name.endswith(".npz"):
        features, sized = read_npz(path), True
        labels_path = _partner(path, "X.", "Y.")
        label_matrix = read_npz(labels_path)
    elif "_X_Xf.txt" in name:
        features, _, sized = read_feature_file(path, header=2)
        labels_path = _partner(path, "_X_Xf.txt", "_X_Y.txt")
        label_matrix, _, _ = read_feature_file(labels_path, header=2)
        first_line = 2
    else:
        labels_path = path
        features, label_matrix, sized = read_feature_file(path)
        first_line = 1 + sized
    if features.shape[0] != label_matrix.shape[0]:
        raise BadInput(
            f"Expected as many documents as in {path}, {features.shape[0]}. Received: "
            f"{label_matrix.shape[0]}. Fetch both files again.",
            labels_path,
        )
    if not features.shape[0]:
        raise BadInput("Expected documents. Received: none.", path)
    if num_features is not None:
        features = _of_width(features, num_features, sized, path)
    if num_labels is not None and label_matrix.shape[1] < num_labels:
        label_matrix.resize(label_matrix.shape[0], num_labels)
    return BagOfWords(features, label_matrix, str(path), str(labels_path), first_line)


def has_features(folder, part):
    """Whether a folder has a file that `read_features` would read."""
    return os.path.isdir(folder) and any(names for _, names in _matches(folder, part))


def _matches(folder, part):
    """Pairs of a pattern and the names that match it, best pattern first."""
    short, long = NAMES[part]
    there = sorted(os.listdir(folder))
    for pattern in PATTERNS:
        pattern = pattern.format(short=short, long=long)
        yield (
            pattern,
            [
                name
                for name in there
                if any(fnmatch.fnmatchcase(name, pattern + end) for end in COMPRESSED)
            ],
        )


def _find(folder, part):
    wanted = []
    for pattern, found in _matches(folder, part):
        wanted.append(pattern)
        if len(found) > 1:
            raise BadInput(
                f"Expected one file of the {part} part. Received: {', '.join(found)}. "
                "Name the file itself.",
                folder,
            )
        if found:
            return folder / found[0]
    raise BadInput(
        f"Expected one of {', '.join(wanted)} in this folder. Received: none of these. "
        "Name the folder that holds the files of features.",
        folder,
    )


def _partner(path, mine, other):
    """The file of labels beside a file of features, compressed in whatever way."""
    name = path.name.replace(mine, other, 1)
    for end in COMPRESSED[1:]:
        name = name.removesuffix(end)
    for end in COMPRESSED:
        if name != path.name and path.with_name(name + end).exists():
            return path.with_name(name + end)
    raise BadInput(
        f"Expected the labels in {name} beside this file. Received: no such file.", path
    )


def read_npz(path):
    try:
        # Opened here, because NumPy leaves a damaged file open.
        with open(path, "rb") as file:
            return canonicalize(scipy.sparse.load_npz(file), "values")
    except Exception as error:  # a damaged file raises all sorts
        raise BadInput(
            "Expected a sparse matrix of finite numbers, as scipy.sparse.save_npz "
            f"writes it. Received: {error}. Fetch the file again.",
            path,
        ) from None


def _of_width(features, num_features, sized, path):
    if features.shape[1] == num_features:
        return features
    if sized:
        raise BadInput(
            f"Expected {num_features} features, as in training. Received: "
            f"{features.shape[1]}. Give the test part of the same data set.",
            path,
        )
    strange = int((features.indices >= num_features).sum())
    if strange:
        logger.warning(
            "%s: %d values of features that training did not have are left out.",
            *(path, strange),
        )
    features.resize(features.shape[0], num_features)
    return features
