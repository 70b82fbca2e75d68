"""The names of labels that documents call by their number."""

import json
from collections import Counter

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.document import TextRows, one_space


def read_label_list(path):
    r"""Reads the names of labels, a line each, in the order of their numbers.

    Lines are names, as in PECOS's `output-items.txt`, or JSON objects with `title`,
    `uid` or both, as in `lbl.json.gz` of the Extreme Classification Repository. A name
    that stands twice is no name: such labels get their number behind it, and one
    without a name is called by its number.

    Args:
        path: string or path. Plain, `.gz` or `.xz`.

    Returns:
        list of strings, without repeats.

    Raises:
        BadInput: the file is missing, empty, damaged or no such list.

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
        _title(text, path, line) if is_json else text for line, text in TextRows(path)
    ]
    return make_unique(names)


def make_unique(names):
    """Makes names different from each other by the numbers of their labels.

    Args:
        names: list of strings.

    Returns:
        list of strings, with single spaces for white space, and none around them.

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
    """The names of label ids, or None if an id is none of theirs.

    Args:
        ids: iterable of ints.
        names: optional list of strings. Without it an id's name is its number.

    Example:

    >>> names = ["oak", "rose"]
    >>> name_labels([1, 0], names), name_labels([2], names), name_labels([2], None)
    (['rose', 'oak'], None, ['2'])
    """
    found = []
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
    """What `name_labels` takes, in words."""
    if names is None:
        return "Expected label ids, integers from 0 on."
    return (
        f"Expected label ids from 0 to {len(names) - 1}, as the list of labels has "
        f"{len(names)} names."
    )


def _title(text, path, line):
    try:
        found = json.loads(text)
        title = found.get("title") or found.get("uid") or ""
        title.encode()
        return title
    except (ValueError, AttributeError, RecursionError):
        raise BadInput(
            'Expected a JSON object with "title" or "uid", strings. Received: '
            f"{text[:60]!r}. Mend the line: a label that is left out would shift all "
            "that follow.",
            path,
            line,
        ) from None
