"""Reader of data sets of weighted features, in several formats."""

import fnmatch
import logging
import os
from pathlib import Path

import scipy.sparse

from xmc_keras.data.features.bag_of_words import BagOfWords, canonicalize
from xmc_keras.data.features.feature_file import read_feature_file
from xmc_keras.files.bad_input import BadInput

logger = logging.getLogger(__name__)

# Names of the parts in file names.
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

    - `train.txt` or `<name>_train.txt`: format of the Extreme Classification
      Repository, a line `documents features labels`, then a line `label,label
      id:weight id:weight` for each document.
    - `trn_X_Xf.txt` and `trn_X_Y.txt`: the same in two files of `id:weight` lines,
      whose first lines are `documents features` and `documents labels`.
    - `train.svm`, `train.libsvm` or `train.txt`: libsvm, without a first line.
    - `X.trn.npz` and `Y.trn.npz`: PECOS, matrices written by `scipy.sparse.save_npz`.

    Files of the test part have `test` and `tst` instead of `train` and `trn`. Text
    files may be compressed (`.gz`, `.xz`). Ids start at 0; if a file without a first
    line starts at 1, feature 0 and label 0 are unused. Weights are not changed:
    `sklearn.preprocessing.normalize` scales rows to norm 1.

    Args:
        path: string or path. A folder, or a file named above, of two files the first.
        part: optional string, `"train"` or `"test"`. Required for a folder.
        num_features: optional int. Number of features of the training part, when
            another part is read. If the file declares a different number, this is an
            error; if it declares none, features not seen in training are left out and
            logged.
        num_labels: optional int. Number of labels of the training part, the minimum
            number of columns of the label matrix. Later columns are labels that are
            relevant but cannot be predicted.

    Returns:
        `BagOfWords`.

    Raises:
        BadInput: a file is missing or has another format. The message names the path
            and the line.

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
        features, has_header = read_npz(path), True
        labels_path = _partner(path, "X.", "Y.")
        label_matrix = read_npz(labels_path)
    elif "_X_Xf.txt" in name:
        features, _, has_header = read_feature_file(path, header=2)
        labels_path = _partner(path, "_X_Xf.txt", "_X_Y.txt")
        label_matrix, _, _ = read_feature_file(labels_path, header=2)
        first_line = 2
    else:
        labels_path = path
        features, label_matrix, has_header = read_feature_file(path)
        first_line = 1 + has_header
    if features.shape[0] != label_matrix.shape[0]:
        raise BadInput(
            f"Expected as many documents as in {path}, {features.shape[0]}. Received: "
            f"{label_matrix.shape[0]}. Download both files again.",
            labels_path,
        )
    if not features.shape[0]:
        raise BadInput("Expected documents. Received: none.", path)
    if num_features is not None:
        features = _fit_width(features, num_features, has_header, path)
    if num_labels is not None and label_matrix.shape[1] < num_labels:
        label_matrix.resize(label_matrix.shape[0], num_labels)
    return BagOfWords(features, label_matrix, str(path), str(labels_path), first_line)


def has_features(folder, part):
    """Whether a folder has a file for `read_features`."""
    return os.path.isdir(folder) and any(names for _, names in _matches(folder, part))


def _matches(folder, part):
    """Yields pairs of a pattern and the file names that match it, best first."""
    short, long = NAMES[part]
    names = sorted(os.listdir(folder))
    for pattern in PATTERNS:
        pattern = pattern.format(short=short, long=long)
        yield (
            pattern,
            [
                name
                for name in names
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
                "Give the path of the file.",
                folder,
            )
        if found:
            return folder / found[0]
    raise BadInput(
        f"Expected one of {', '.join(wanted)} in this folder. Received: none of these. "
        "Give the path of the folder with the feature files.",
        folder,
    )


def _partner(path, mine, other):
    """The label file in the folder of a feature file, with any compression."""
    name = path.name.replace(mine, other, 1)
    for end in COMPRESSED[1:]:
        name = name.removesuffix(end)
    for end in COMPRESSED:
        if name != path.name and path.with_name(name + end).exists():
            return path.with_name(name + end)
    raise BadInput(
        f"Expected the labels in {name} in the same folder. Received: no such file.",
        path,
    )


def read_npz(path):
    """Reads a sparse matrix written by `scipy.sparse.save_npz`.

    Args:
        path: string or path.

    Returns:
        float32 csr matrix.

    Raises:
        BadInput: the file is missing, damaged or has values that are not finite.
    """
    try:
        # Opened here because NumPy leaves a damaged file open.
        with open(path, "rb") as file:
            return canonicalize(scipy.sparse.load_npz(file), "values")
    except Exception as error:  # a damaged file raises many kinds of errors
        raise BadInput(
            "Expected a sparse matrix of finite numbers, written by "
            f"scipy.sparse.save_npz. Received: {error}. Download the file again.",
            path,
        ) from None


def _fit_width(features, num_features, has_header, path):
    """Cuts or extends the columns to those of the training part."""
    if features.shape[1] == num_features:
        return features
    if has_header:
        raise BadInput(
            f"Expected {num_features} features, as in training. Received: "
            f"{features.shape[1]}. Use the test part of the same data set.",
            path,
        )
    unseen = int((features.indices >= num_features).sum())
    if unseen:
        logger.warning(
            "%s: left out %d values of features not seen in training.", path, unseen
        )
    features.resize(features.shape[0], num_features)
    return features
