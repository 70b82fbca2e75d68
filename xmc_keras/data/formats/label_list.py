"""Label names for data sets that store label ids."""

import json
from collections import Counter

from xmc_keras.data.formats.document import TextRows, one_space
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.vocabulary import Vocabulary


def read_label_list(path):
    r"""Reads label names, one per line, in the order of the label ids.

    A line is a name, as in PECOS's `output-items.txt`, or a JSON object with `title`,
    `uid` or both, as in `lbl.json.gz` of the Extreme Classification Repository.
    Repeated and empty names are made unique, see `make_unique`.

    Args:
        path: string or path. Plain, `.gz` or `.xz`.

    Returns:
        list of strings, without repeats.

    Raises:
        BadInput: the file is missing, empty, damaged or not such a list.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "lbl.json")
    ...     _ = path.write_text('{"title": "Rose"}\n{"title": "Oak"}\n{"title": "Oak"}')
    ...     read_label_list(path)
    ['Rose', 'Oak ~1', 'Oak ~2']
    """
    is_json = ".json" in str(path)
    names = [
        _parse_title(text, path, line) if is_json else text
        for line, text in TextRows(path)
    ]
    return make_unique(names)


def read_described_labels(path):
    r"""Reads the names of labels with their titles and contents.

    Args:
        path: string or path of a file such as `lbl.json.gz` of the Extreme
            Classification Repository.

    Returns:
        `Vocabulary`, by the names of `read_label_list`. A text is the title and the
        content.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "lbl.json")
    ...     _ = path.write_text('{"title": "Rose", "content": "A plant."}\n')
    ...     read_described_labels(path).texts
    {'Rose': 'Rose A plant.'}
    """
    found = Vocabulary()
    for name, (_, row) in zip(read_label_list(path), TextRows(path)):
        parts = [json.loads(row).get(field) or "" for field in ("title", "content")]
        title, content = (one_space(str(part)) for part in parts)
        if title:
            found.titles[name] = title
        if text := " ".join(filter(None, (title, content))):
            found.texts[name] = text
    return found


def make_unique(names):
    """Makes label names unique by their ids.

    The id is appended to each occurrence of a repeated name; an empty name becomes the
    id.

    Args:
        names: list of strings.

    Returns:
        list of strings, with white space normalised to single spaces.

    Example:

    >>> make_unique(["oak", "rose", " oak", ""])
    ['oak ~0', 'rose', 'oak ~2', '3']
    """
    names = [one_space(name) for name in names]
    counts = Counter(names)
    taken = {name for name, count in counts.items() if count == 1}
    found = []
    for number, name in enumerate(names):
        if not name or counts[name] > 1:
            name = f"{name} ~{number}" if name else str(number)
            while name in taken:
                name += "~"
            taken.add(name)
        found.append(name)
    return found


def name_labels(ids, names):
    """Converts label ids to names; returns `None` if an id is invalid or repeated.

    A list that repeats an id is no list of ids, but a vector of zeros and ones.

    Args:
        ids: iterable of ints.
        names: optional list of strings. Defaults to the ids as strings.

    Returns:
        list of strings, or `None`.

    Example:

    >>> names = ["oak", "rose"]
    >>> name_labels([1, 0], names), name_labels([2], names), name_labels([2], None)
    (['rose', 'oak'], None, ['2'])
    """
    ids, found = list(ids), []
    if len(set(map(repr, ids))) < len(ids):
        return None
    for number in ids:
        if type(number) is not int or number < 0:
            return None
        if names is None:
            found.append(str(number))
        elif number < len(names):
            found.append(names[number])
        else:
            return None
    return found


def id_error(names):
    """Message for ids that `name_labels` does not accept."""
    if names is None:
        return "Expected different label ids, integers from 0."
    return (
        f"Expected different label ids from 0 to {len(names) - 1}: the label list has "
        f"{len(names)} names."
    )


def _parse_title(text, path, line):
    try:
        found = json.loads(text)
        title = found.get("title") or found.get("uid") or ""
        title.encode()
        return title
    except (ValueError, AttributeError, RecursionError):
        raise BadInput(
            'Expected a JSON object with "title" or "uid", strings. Received: '
            f"{text[:60]!r}. Fix the line: a missing label would shift all that "
            "follow.",
            path,
            line,
        ) from None
