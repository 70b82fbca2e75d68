"""A file of documents as lines of labels and weighted features."""

import gzip
import lzma
import zlib

import numpy as np
import scipy.sparse

from xmc_keras.bad_input import BadInput
from xmc_keras.data.features.feature_lines import (
    LARGEST_ID,
    FeatureLines,
    parse_feature_lines,
)

BLOCK = 2**23  # bytes parsed at a time


def read_feature_file(path, header=None):
    r"""Reads `label,label id:weight id:weight` lines, a document each.

    That is the form of the Extreme Classification Repository, with a first line
    `documents features labels`, of its files of features or labels alone, with a first
    line `documents features`, and of libsvm, without such a line. Ids count from 0;
    features of a line stand in any order. Plain, or compressed as `.gz` or `.xz`.

    Args:
        path: string or path.
        header: optional int. Numbers that the first line has to hold: 2 or 3. By
            default it may hold three numbers or be the first document.

    Returns:
        `(features, label_matrix, has_header)`: csr matrices, float32, (documents,
        features) and (documents, labels), and a bool. Without a header they have as
        many columns as the largest id asks for.

    Raises:
        BadInput: with path and line, what the file is instead.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.txt")
    ...     _ = path.write_text("2 4 3\n0,2 1:0.5 3:2\n1 0:1\n")
    ...     features, labels, _ = read_feature_file(path)
    >>> features.toarray().tolist(), labels.toarray().tolist()
    ([[0.0, 0.5, 0.0, 2.0], [1.0, 0.0, 0.0, 0.0]], [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    """
    expected, parts, num_lines = None, [], 0
    for content, line in _blocks(path):
        if line == 1:
            first, _, rest = content.partition(b"\n")
            expected = _header(first, header, path)
            if expected is not None:
                content, line = rest, 2
        if not content:
            continue
        found = parse_feature_lines(content, path, line)
        if expected is not None:
            _, num_features, num_labels = expected
            _check_ids(found.feature_ids, found.num_features, num_features, path, line)
            _check_ids(found.label_ids, found.num_labels, num_labels, path, line)
        parts.append(found)
        num_lines += len(found.num_features)
    if expected is not None and num_lines != expected[0]:
        raise BadInput(
            f"Expected {expected[0]} documents, as the first line says. Received: "
            f"{num_lines}. Fetch the file again, or mend its first line.",
            path,
            1,
        )
    if not num_lines:
        raise BadInput("Expected a document a line. Received: none.", path)
    _, num_features, num_labels = expected or (None, None, None)
    found = FeatureLines(*map(np.concatenate, zip(*parts)))
    parts.clear()
    ones = np.ones(len(found.label_ids), np.float32)
    return (
        _matrix(found.weights, found.feature_ids, found.num_features, num_features),
        _matrix(ones, found.label_ids, found.num_labels, num_labels),
        expected is not None,
    )


def _blocks(path):
    """Yields whole lines, many at a time, and the number of the first of them."""
    line, rest = 1, []
    try:
        with _open(path) as file:
            while block := file.read(BLOCK):
                end = block.rfind(b"\n") + 1
                if not end:
                    rest.append(block)
                    continue
                content = b"".join([*rest, block[:end]])
                rest = [block[end:]]
                yield content, line
                line += content.count(b"\n")
        if last := b"".join(rest):
            yield last + b"\n", line
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise BadInput(
            f"Expected an intact file. Received: {error}. Download it again.",
            path,
            line,
        ) from None


def _open(path):
    try:
        if str(path).endswith(".gz"):
            return gzip.open(path)
        if str(path).endswith(".xz"):
            return lzma.open(path, format=lzma.FORMAT_XZ)
        return open(path, "rb")
    except OSError as error:
        raise BadInput(
            f"Expected a readable file. Received: {error.strerror}.", path
        ) from None


def _header(first, wanted, path):
    """`[documents, features, labels]` of a first line, or None for a document."""
    numbers = first.split()
    # No document has two tokens without a colon.
    if wanted is None and (len(numbers) < 2 or b":" in first):
        return None
    most = LARGEST_ID + 1
    fits = all(n.isdigit() and len(n) < 20 and int(n) <= most for n in numbers)
    if len(numbers) == (wanted or 3) and fits:
        return [*map(int, numbers), 0][:3]
    names = "documents features labels".split()[: wanted or 3]
    shown = first[:40].decode("utf-8", "backslashreplace")
    raise BadInput(
        f"Expected {len(names)} numbers, {', '.join(names)}, each at most {most}. "
        f"Received: {shown!r}. Mend the line.",
        path,
        1,
    )


def _check_ids(ids, counts, limit, path, line):
    beyond = np.flatnonzero(ids >= limit)
    if not len(beyond):
        return
    document = np.searchsorted(np.cumsum(counts), beyond[0], "right")
    expected = f"ids below {limit}, as the first line says" if limit else "id:weight"
    raise BadInput(
        f"Expected {expected}. Received: {ids[beyond[0]]}. Ids count from 0. Mend the "
        "line, or the first one.",
        path,
        line + int(document),
    )


def _matrix(values, ids, counts, num_columns):
    if num_columns is None:
        num_columns = int(ids.max(initial=-1)) + 1
    starts = np.concatenate([[0], np.cumsum(counts)])
    arrays = values, ids, starts
    return scipy.sparse.csr_matrix(arrays, (len(counts), num_columns))
