"""Label names in a cell of a table."""

import ast
import json
import re
import warnings

from xmc_keras.data.formats.document import one_space

NAME_KEYS = ("label", "name", "title", "uri", "id")
URI_KEYS = ("uri", "id")
# How pandas, NumPy and Python print a missing value.
MISSING = {"nan", "NaN", "None", "NaT", "<NA>", "null", "NULL"}
# A cell that somebody printed from a program, and that is no list: in brackets from its
# first to its last character, or cut off. "[a] and [b]" and "(a)" are names.
PRINTED = re.compile(
    r"""\[[^\[\]]*(\])? | \{[^{}]*\}? | \([^()]*[,;|'"][^()]*\) | [\[({'"]\s*['"\[({].*
    | \w+\(\s*['"\[({].* | (frozenset|set|list|tuple|dict|array)\(.*\)""",
    re.DOTALL | re.VERBOSE,
)
SPECIAL = re.compile("""[][(){}'"<]""")
ARRAY_ITEM = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s'",\[\](){}]+""")
URI = re.compile(r"<([^<>\s]+:[^<>\s]*)>")


def parse_label_cell(value, separator=None, titles=None):
    r"""Parses the label names in a cell.

    A list is read as such, whatever the separator: a JSON list, a list or tuple as
    Python prints it (`['a', 'b']`), or an array as NumPy prints it (`['a' 'b']`). Its
    items are strings, integers, or objects with one of the keys label, name, title,
    uri and id, in this order. Zeros and ones may be floats or bools. Other text is
    split at the separator. URIs lose the angle brackets that Annif puts around them.

    Args:
        value: string, int, list or array of strings, ints, floats, bools or dicts, or
            `None` for no label.
        separator: optional string. Defaults to `None`: white space.
        titles: optional dictionary. If there is one, objects with a uri or id are named
            by it, and their label, name or title is added here. Defaults to `None`.

    Returns:
        list of strings, or `None` if the cell has another content: a missing value
        (`nan`), an array printed with dots, or brackets that are not a list.

    Example:

    >>> parse_label_cell("warm; big plant;", ";"), parse_label_cell("['a b', 'c']", ";")
    (['warm', 'big plant'], ['a b', 'c'])
    >>> parse_label_cell("[0 1\n 1]"), parse_label_cell([{"uri": "x:1", "label": "a"}])
    (['0', '1', '1'], ['a'])
    >>> titles = {}
    >>> parse_label_cell([{"uri": "x:1", "label": "a"}], titles=titles), titles
    (['x:1'], {'x:1': 'a'})
    >>> parse_label_cell("{'warm', 'big'}") is None
    True
    """
    if value is None:
        return []
    if isinstance(value, str):
        if not SPECIAL.search(value) and value.strip() not in MISSING:
            # As below, for most cells.
            names = value.split(separator)
            return (
                names if separator is None else [n for n in map(one_space, names) if n]
            )
        value = _parse_text(value.strip(), separator)
    if hasattr(value, "tolist"):  # NumPy
        value = value.tolist()
    if type(value) is int:
        value = [value]
    if not isinstance(value, list | tuple):
        return None
    if value and all(isinstance(item, bool | int | float) for item in value):
        if any(type(item) is not int for item in value):
            if not all(item in (0, 1) for item in value):
                return None
            value = map(int, value)
        return [str(item) for item in value]
    names = [_name(item, titles) for item in value]
    if None in names:
        return None
    return [name for name in map(one_space, names) if name]


def _parse_text(text, separator):
    """A list, or `None`."""
    if text in MISSING:
        return None
    if (found := parse_list(text)) is not None:
        return found
    if PRINTED.fullmatch(text) or (separator is None and text.startswith(("[", "{"))):
        return None
    return text.split() if separator is None else text.split(separator)


def parse_list(text):
    """The list or tuple that a text is, as JSON, Python or NumPy write it, or `None`.

    >>> parse_list("['a' 'b']"), parse_list("('a', 'b')"), parse_list("(a) b")
    (['a', 'b'], ('a', 'b'), None)
    """
    if not text.startswith(("[", "(")):
        return None
    try:
        found = _read_list(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, list | tuple) else None


def _read_list(text):
    """The value of a text in brackets; raises `ValueError` and others."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    items, body = [text], text[1:-1]
    # NumPy separates by white space, which Python joins: ['a' 'b'] would be ['ab'].
    if text[0] == "[" and text[-1] == "]" and not ARRAY_ITEM.sub("", body).strip():
        items = ARRAY_ITEM.findall(body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that Python does not know
        found = [ast.literal_eval(item) for item in items]
    return found if items[0] is not text else found[0]


def _name(item, titles=None):
    """The label name of an item of a list, or `None`."""
    if isinstance(item, dict):
        given = {key: item[key] for key in NAME_KEYS if item.get(key) not in (None, "")}
        item = next(iter(given.values()), None)
        uri = next((given[key] for key in URI_KEYS if key in given), None)
        if titles is not None and uri is not None:
            title, item = item, _name(uri)
            if isinstance(title, str) and title != uri and item is not None:
                titles.setdefault(one_space(item), one_space(title))
    if type(item) is int:
        return str(item)
    if not isinstance(item, str):
        return None
    item = item.strip()
    if not (uri := URI.match(item)):
        return item
    # What follows is another URI, and the separator another one than meant.
    return uri[1] if uri.end() == len(item) else None
