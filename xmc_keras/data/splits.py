"""Reading the training and test parts, drawing validation documents."""

import itertools
from pathlib import Path

import numpy as np

from xmc_keras.data.document_groups import draw_groups
from xmc_keras.data.documents import read_documents
from xmc_keras.data.feature_documents import read_feature_documents
from xmc_keras.data.features.read_features import has_features
from xmc_keras.files.bad_input import BadInput
from xmc_keras.progress import phase

MOST_VALIDATION = 1000  # documents held back by default
SUFFIXES = ("", ".gz", ".xz")


def validation_split(
    num_documents: int, size: int, seed: int, groups=None
) -> tuple[np.ndarray, np.ndarray]:
    """Draws validation documents from the training part, uniformly at random.

    The split depends only on the number of training documents, their groups and the
    seed. Nothing chosen by validation (epoch, threshold, learning rate) has seen the
    test part.

    Args:
        num_documents: int. Number of documents of the training part.
        size: int. Number of validation documents; 0 for none.
        seed: int, at least 0. The same seed gives the same split.
        groups: optional list of strings, the group of each document. Whole groups are
            drawn, see `draw_groups`, as many documents as come closest to `size`.
            Defaults to `None`, single documents.

    Returns:
        `(train_indices, validation_indices)`, int64 arrays of shapes
        `(num_documents - size,)` and `(size,)`, sorted, disjoint.

    Raises:
        BadInput: `size` is negative or leaves nothing to train on, or no whole groups
            come near it.

    Example:

    >>> train_indices, validation_indices = validation_split(10, 3, seed=0)
    >>> len(train_indices), len(validation_indices)
    (7, 3)
    >>> sorted([*train_indices.tolist(), *validation_indices.tolist()])
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    if seed is None:
        raise ValueError("Expected an integer seed. Received: seed=None.")
    if not 0 <= size < num_documents:
        raise BadInput(
            "Expected a validation size of at least 0 and less than the number of "
            f"training documents. Received: size={size}, "
            f"num_documents={num_documents}. Set a smaller one (validation_documents "
            "in a config)."
        )
    if groups is not None and size:
        is_drawn = draw_groups(groups, size, seed)
        return np.flatnonzero(~is_drawn), np.flatnonzero(is_drawn)
    order = np.random.default_rng(seed).permutation(num_documents).astype(np.int64)
    return np.sort(order[size:]), np.sort(order[:size])


def choose_validation_size(size, num_documents):
    """The number of validation documents: by default a tenth, from 1 to 1,000.

    Args:
        size: int, or None for the default. An `AtMost` of more than half of the
            documents is lowered to the default.
        num_documents: int. Documents of the whole training part.

    Example:

    >>> [choose_validation_size(None, number) for number in (5, 200, 10**6)]
    [1, 20, 1000]
    """
    if type(size) is int:
        return size
    if size is not None and 2 * size <= num_documents:
        return int(size)
    return max(1, min(MOST_VALIDATION, num_documents // 10))


def read_part(folder, part, skip_bad_lines=False, num_features=None, groups=None):
    """Reads one part of a data set, as texts or, if there are none, as features.

    Args:
        folder: string or path.
        part: `"train"` or `"test"`.
        skip_bad_lines: bool. Whether to leave out and count bad documents. Defaults to
            `False`.
        num_features: optional int. Number of features of the training part, when the
            test part is read.
        groups: optional string. A file of the folder with the group of each document,
            `validation_by` of a config. Defaults to `None`, no groups.

    Returns:
        `Documents`, see `read_documents`, or `FeatureDocuments`, see
        `read_feature_documents`.

    Raises:
        BadInput: see these functions. If the folder has neither texts nor features,
            the message names the missing text files.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "train.txt").write_text("1 3 9\\n5,7 0:3 2:4\\n")
    ...     type(read_part(folder, "train")).__name__
    'FeatureDocuments'
    """
    with phase(f"Reading {folder}"):
        if _has_texts(folder, part) or not has_features(folder, part):
            return read_documents(folder, part, skip_bad_lines, groups)
        return read_feature_documents(
            folder, part, skip_bad_lines, num_features, groups
        )


def has_part(folder, part):
    """Whether a folder has a part of a data set, as texts or as features.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "test_labels.txt.gz").write_bytes(b"")
    ...     has_part(folder, "train"), has_part(folder, "test")
    (False, True)
    """
    return _has_texts(folder, part) or has_features(folder, part)


def _has_texts(folder, part):
    names = (f"{part}_raw_texts.txt", f"{part}_texts.txt", f"{part}_labels.txt")
    return any(
        Path(folder, name + suffix).exists()
        for name, suffix in itertools.product(names, SUFFIXES)
    )


def split_documents(config, num_documents, groups=None):
    """Draws the training and validation documents of a config.

    Args:
        config: `Config`. Its `validation_documents` (see `choose_validation_size`) are
            drawn first, as whole groups if it has `validation_by`, then its
            `train_documents` from the rest, both with `split_seed`, or with `seed` if
            that is null.
        num_documents: int. Number of documents of the training part.
        groups: optional list of strings, the group of each document. Read with
            `validation_by` alone.

    Returns:
        `(train_indices, validation_indices)`, int64 arrays, sorted, disjoint.

    Raises:
        BadInput: there are too few documents, or they lack groups.
    """
    if config.validation_by is None:
        groups = None
    elif groups is None:
        raise BadInput(
            "Expected documents with groups to draw validation documents by "
            f"{config.validation_by}. Received: documents without.",
            remedy="Give them as `groups`, or set validation_by to null.",
        )
    seed = config.seed if config.split_seed is None else config.split_seed
    size = choose_validation_size(config.validation_documents, num_documents)
    rest, held_out = validation_split(num_documents, size, seed, groups)
    if config.train_documents is None:
        return rest, held_out
    if config.train_documents > len(rest):
        raise BadInput(
            "Expected train_documents to be at most the number of documents left by "
            f"the validation split, {len(rest)}. Received: {config.train_documents}."
        )
    order = np.random.default_rng([seed, 1]).permutation(rest)
    return np.sort(order[: config.train_documents]), held_out
