"""Fast parser of lines with labels and weighted features."""

import re
import warnings
from typing import NamedTuple

import numpy as np

from xmc_keras.files.bad_input import BadInput

LARGEST_ID = 2**31 - 2  # the number of columns, one more, must fit in int32

# Kinds of bytes.
DIGIT, SIGN, SPACE, NEWLINE, COLON, COMMA, OTHER = range(7)
KINDS = np.full(256, OTHER, np.uint8)
for _kind, _bytes in enumerate((b"0123456789", b"+-.eE", b" \t\r", b"\n", b":", b",")):
    KINDS[list(_bytes)] = _kind
ONLY_SPACES = bytes(b if KINDS[b] in (DIGIT, SIGN) else ord(" ") for b in range(256))

ID = re.compile(rb"\d+")
WEIGHT = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class FeatureLines(NamedTuple):
    """Labels and features of consecutive lines, concatenated.

    Args:
        label_ids: int32 array (labels,).
        num_labels: int64 array (lines,). Number of labels of each line.
        feature_ids: int32 array (features,).
        weights: float32 array (features,).
        num_features: int64 array (lines,). Number of features of each line.
    """

    label_ids: np.ndarray
    num_labels: np.ndarray
    feature_ids: np.ndarray
    weights: np.ndarray
    num_features: np.ndarray


def parse_feature_lines(content, path, line=1):
    r"""Parses lines `label,label id:weight id:weight`, labels and features optional.

    Well-formed lines are parsed all at once by NumPy. Otherwise the lines are parsed
    one by one, to find the error and its place.

    Args:
        content: bytes. Whole lines, each with its `\n`.
        path: string or path. The file, for error messages.
        line: int. Number of the first line, for error messages. Defaults to `1`.

    Returns:
        `FeatureLines`.

    Raises:
        BadInput: a line has another format, an id is above 2^31 - 2, or a weight is
            NaN or infinite in float32.

    Example:

    >>> found = parse_feature_lines(b"4,2 7:0.5 3:1\n\n 5:2e1\n", "train.txt")
    >>> found.label_ids.tolist(), found.num_labels.tolist()
    ([4, 2], [2, 0, 0])
    >>> found.feature_ids.tolist(), found.weights.tolist(), found.num_features.tolist()
    ([7, 3, 5], [0.5, 1.0, 20.0], [2, 0, 1])
    """
    found = _parse_at_once(content)
    return _parse_one_by_one(content, path, line) if found is None else found


def _parse_at_once(content):
    """`FeatureLines`, or `None` if anything is unusual."""
    content = b"\n" + content  # so that each token has a byte before it
    kinds = KINDS[np.frombuffer(content, np.uint8)]
    if kinds.max() == OTHER:
        return None
    # A token is a run of digits and signs.
    edges = np.flatnonzero(np.diff((kinds <= SIGN).view(np.int8)))
    starts, ends = edges[::2] + 1, edges[1::2] + 1
    before, after = kinds[starts - 1], kinds[ends]
    is_id, is_weight = after == COLON, before == COLON
    is_label = ~(is_id | is_weight)
    for separator in (COLON, COMMA):  # each must be between two tokens
        count = np.count_nonzero(kinds == separator)
        if np.count_nonzero(before == separator) != count:
            return None
        if np.count_nonzero(after == separator) != count:
            return None
    if (is_id & (is_weight | (before == COMMA))).any():
        return None
    if (is_weight & (after == COMMA)).any():
        return None
    newlines = np.flatnonzero(kinds == NEWLINE)[1:]
    lines = np.searchsorted(newlines, starts)  # line of each token
    first = np.diff(lines, prepend=-1) > 0  # whether it is the first of its line
    if not first[is_label & (before != COMMA)].all():
        return None
    signs = np.flatnonzero(kinds == SIGN)
    if not is_weight[np.searchsorted(starts, signs, "right") - 1].all():
        return None
    numbers = np.zeros(0)
    if len(starts):  # NumPy reads a number from spaces alone
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                numbers = np.fromstring(content.translate(ONLY_SPACES), sep=" ")
            except (DeprecationWarning, ValueError):  # such as 1e or a lone minus
                return None
    # A token such as 1.2.3 is read as two numbers.
    if len(numbers) != len(starts):
        return None
    with np.errstate(over="ignore"):
        weights = numbers[is_weight].astype(np.float32)
    if not np.isfinite(weights).all():
        return None
    if (numbers[~is_weight] > LARGEST_ID).any():
        return None
    return FeatureLines(
        numbers[is_label].astype(np.int32),
        np.bincount(lines[is_label], minlength=len(newlines)),
        numbers[is_id].astype(np.int32),
        weights,
        np.bincount(lines[is_id], minlength=len(newlines)),
    )


def _parse_one_by_one(content, path, first_line):
    labels, features, weights, num_labels, num_features = [], [], [], [], []
    for line, row in enumerate(content.removesuffix(b"\n").split(b"\n"), first_line):
        tokens = row.split()
        num_labels.append(0)
        if tokens and b":" not in tokens[0]:
            names = tokens.pop(0).split(b",")
            labels += [_parse_id(name, "a label id", path, line) for name in names]
            num_labels[-1] = len(names)
        num_features.append(len(tokens))
        for token in tokens:
            name, _, weight = token.partition(b":")
            features.append(_parse_id(name, "id:weight with an id", path, line, token))
            weights.append(_parse_weight(weight, path, line, token))
    return FeatureLines(
        np.array(labels, np.int32),
        np.array(num_labels, np.int64),
        np.array(features, np.int32),
        np.array(weights, np.float32),
        np.array(num_features, np.int64),
    )


def _parse_id(text, expected, path, line, token=None):
    if ID.fullmatch(text) and len(text.lstrip(b"0")) <= 10 and int(text) <= LARGEST_ID:
        return int(text)
    raise _line_error(
        f"{expected} that is an integer from 0 to {LARGEST_ID}",
        token or text,
        path,
        line,
    )


def _parse_weight(text, path, line, token):
    if WEIGHT.fullmatch(text):
        with np.errstate(over="ignore"):
            weight = np.float32(float(text))
        if np.isfinite(weight):
            return weight
    expected = "id:weight with a weight that is a finite number"
    raise _line_error(expected, token, path, line)


def _line_error(expected, token, path, line):
    excerpt = token[:40].decode("utf-8", "backslashreplace")
    return BadInput(
        f"Expected {expected}. Received: {excerpt!r}. Write the line as label,label "
        "id:weight id:weight.",
        path,
        line,
    )
