"""Reader of a file with labels and weighted features, one document per line."""

import codecs
import gzip
import lzma
import zlib

import numpy as np
import scipy.sparse

from xmc_keras.data.features.feature_lines import (
    LARGEST_ID,
    FeatureLines,
    parse_feature_lines,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import START, check_start

BLOCK = 2**23  # bytes parsed at a time


def read_feature_file(path, header=None):
    r"""Reads lines `label,label id:weight id:weight`, one document each.

    This is the format of the Extreme Classification Repository, whose first line is
    `documents features labels`, of its files of features or labels alone, whose first
    line is `documents features`, and of libsvm, without such a line. Ids start at 0;
    the features of a line may have any order. The file is plain or compressed (`.gz`,
    `.xz`).

    Args:
        path: string or path.
        header: optional int. How many numbers the first line must have, 2 or 3.
            Defaults to `None`: it has three numbers or is the first document.

    Returns:
        `(features, label_matrix, has_header)`: float32 csr matrices (documents,
        features) and (documents, labels), and a bool. Without a header, the largest id
        determines the number of columns.

    Raises:
        BadInput: the file has another format. The message names the path and the line.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.txt")
    ...     _ = path.write_text("2 4 3\n0,2 1:0.5 3:2\n1 0:1\n")
    ...     features, labels, _ = read_feature_file(path)
    >>> features.toarray().tolist(), labels.toarray().tolist()
    ([[0.0, 0.5, 0.0, 2.0], [1.0, 0.0, 0.0, 0.0]], [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    """
    expected, blocks, num_lines = None, [], 0
    for content, line in _read_blocks(path):
        if line == 1:
            first, _, rest = content.partition(b"\n")
            expected = _parse_header(first, header, path)
            if expected is not None:
                content, line = rest, 2
        if not content:
            continue
        block = parse_feature_lines(content, path, line)
        if expected is not None:
            _, num_features, num_labels = expected
            _check_ids(block.feature_ids, block.num_features, num_features, path, line)
            _check_ids(block.label_ids, block.num_labels, num_labels, path, line)
        blocks.append(block)
        num_lines += len(block.num_features)
    if expected is not None and num_lines != expected[0]:
        raise BadInput(
            f"Expected {expected[0]} documents, the number in the first line. "
            f"Received: {num_lines}. Download the file again, or fix its first "
            "line.",
            path,
            1,
        )
    if not num_lines:
        raise BadInput("Expected one document per line. Received: none.", path)
    _, num_features, num_labels = expected or (None, None, None)
    lines = FeatureLines(*map(np.concatenate, zip(*blocks)))
    blocks.clear()
    ones = np.ones(len(lines.label_ids), np.float32)
    return (
        _to_matrix(lines.weights, lines.feature_ids, lines.num_features, num_features),
        _to_matrix(ones, lines.label_ids, lines.num_labels, num_labels),
        expected is not None,
    )


def _read_blocks(path):
    """Yields blocks of whole lines, and the line number of the first line in each."""
    line, rest = 1, []
    try:
        with _open(path) as file:
            while block := file.read(BLOCK):
                if line == 1 and not rest:
                    check_start(path, block[:START])
                    block = block.removeprefix(codecs.BOM_UTF8)
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


def _parse_header(first, wanted, path):
    """`[documents, features, labels]` of a first line; `None` for a document."""
    numbers = first.split()
    # A first line of two tokens without a colon is not a document.
    if wanted is None and (len(numbers) < 2 or b":" in first):
        return None
    most = LARGEST_ID + 1
    fits = all(n.isdigit() and len(n) < 20 and int(n) <= most for n in numbers)
    if len(numbers) == (wanted or 3) and fits:
        return [*map(int, numbers), 0][:3]
    names = "documents features labels".split()[: wanted or 3]
    excerpt = first[:40].decode("utf-8", "backslashreplace")
    raise BadInput(
        f"Expected {len(names)} numbers, {', '.join(names)}, each at most {most}. "
        f"Received: {excerpt!r}. Fix the line.",
        path,
        1,
    )


def _check_ids(ids, counts, limit, path, line):
    too_large = np.flatnonzero(ids >= limit)
    if not len(too_large):
        return
    document = np.searchsorted(np.cumsum(counts), too_large[0], "right")
    expected = "id:weight"
    if limit:
        expected = f"ids below {limit}, the number in the first line"
    raise BadInput(
        f"Expected {expected}. Received: {ids[too_large[0]]}. Ids start at 0. Fix "
        "this line, or the first one.",
        path,
        line + int(document),
    )


def _to_matrix(values, ids, counts, num_columns):
    if num_columns is None:
        num_columns = int(ids.max(initial=-1)) + 1
    starts = np.concatenate([[0], np.cumsum(counts)])
    arrays = values, ids, starts
    return scipy.sparse.csr_matrix(arrays, (len(counts), num_columns))
