"""A key of a config: its meaning and its valid values."""

import contextlib
import dataclasses
import difflib
import math
import typing

from xmc_keras.config.at_most import AtMost

KINDS = {
    str: "text",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list of integers of at least 1",
}
PAIR = "a list of a least and a largest number, such as [3, 5],"
# The forms of lists, and their words.
LISTS = {
    "increasing": "a list of increasing epochs from 1 on, such as [14, 21, 25]",
    "powers": "a list of increasing powers of 2 from 2 on, such as [64, 512]",
    "numbers": "a list of integers of at least 1, such as [40, 20]",
    "layers": "a list with a number or a list of numbers of at least 1 for each level, "
    "such as [[5, 6], 8, 12]",
}


def config_key(help, default=dataclasses.MISSING, **limits):
    """Makes a dataclass field with its meaning and the limits of its values.

    Args:
        help: string. The meaning of the key, with units.
        default: the default value. Without it the key is required.
        **limits: `minimum` or `above`, `maximum` or `below` (numbers; `minimum` and
            `maximum` themselves are valid), `choices` (list), `pair` (bool: a list is a
            range of two integers within the limits), `form` (string, one of `LISTS`, of
            any other list).

    Example:

    >>> @dataclasses.dataclass
    ... class Recipe:
    ...     dropout: float = config_key("Dropout.", 0.5, minimum=0, below=1)
    ...     seconds: int | None = config_key("Time.", None, above=0)
    >>> [describe_values(field) for field in dataclasses.fields(Recipe)]
    ['a number of at least 0 and below 1', 'an integer above 0, or null']
    """
    return dataclasses.field(default=default, metadata={"help": help, **limits})


def describe_values(field):
    """Describes the valid values of a key in words."""
    kinds, limits = _kinds(field), field.metadata
    if "choices" in limits:
        words = [" or ".join(map(format_value, limits["choices"]))]
    elif "pair" in limits:
        words = [PAIR]
    elif "form" in limits:
        words = [LISTS[limits["form"]]]
    else:
        words = [" or ".join(KINDS[kind] for kind in kinds if kind in KINDS)]
    texts = {
        "minimum": "of at least {}",
        "above": "above {}",
        "maximum": "and at most {}",
        "below": "and below {}",
    }
    words += [text.format(limits[key]) for key, text in texts.items() if key in limits]
    return " ".join(words) + (", or null" if type(None) in kinds else "")


def convert_value(field, value):
    """Converts a value to the type of its key.

    Where a number is expected, integers are accepted, and strings such as `1e-4`, which
    YAML 1.1 reads as text. A number in a list of layers becomes a list of one. Any
    other value of the wrong type, or outside the limits, raises `ValueError`.

    Example:

    >>> rate = config_key("Rate.", above=0)
    >>> rate.name, rate.type = "rate", float
    >>> convert_value(rate, "1e-4")
    0.0001
    >>> convert_value(rate, True)
    Traceback (most recent call last):
    ValueError: Expected rate to be a number above 0. Received: true.
    """
    kinds, limits, received = _kinds(field), field.metadata, value
    if isinstance(value, tuple):
        value = list(value)
    if float in kinds and type(value) in (int, str):
        with contextlib.suppress(ValueError, OverflowError):
            value = float(value)
    hint = ""
    kind = int if isinstance(value, AtMost) else type(value)
    if kind not in kinds:
        fits = False
    elif value is None:
        fits = True
    elif "choices" in limits:
        fits = value in limits["choices"]
        names = [str(choice) for choice in limits["choices"]]
        close = difflib.get_close_matches(str(value), names, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
    elif isinstance(value, str):
        fits = bool(value.strip())
    elif isinstance(value, list) and "pair" in limits:
        fits = len(value) == 2 and all(type(number) is int for number in value)
        fits = fits and limits["minimum"] <= value[0] <= value[1] <= limits["maximum"]
    elif isinstance(value, list):
        form = limits["form"]
        if form == "layers":
            value = [[level] if type(level) is int else level for level in value]
            fits = bool(value) and all(map(_are_positive, value))
        else:
            fits = _are_positive(value)
        if fits and form in ("increasing", "powers"):
            fits = all(a < b for a, b in zip(value, value[1:]))
        if fits and form == "powers":
            fits = all(n > 1 and n.bit_count() == 1 for n in value)
    else:
        fits = (
            -math.inf < value < math.inf
            and value >= limits.get("minimum", -math.inf)
            and value > limits.get("above", -math.inf)
            and value <= limits.get("maximum", math.inf)
            and value < limits.get("below", math.inf)
        )
    if not fits:
        raise ValueError(
            f"Expected {field.name} to be {describe_values(field)}. "
            f"Received: {_quoted(received, list in kinds)}{hint}."
        )
    return value


def format_value(value):
    """Formats a value as in YAML."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def takes_text(field):
    """Whether the values of a key are text, a bool."""
    return str in _kinds(field) and bool not in _kinds(field)


def takes_null(field):
    """Whether a key may be null, a bool."""
    return type(None) in _kinds(field)


def number_type(field):
    """The type of the numbers that a key takes, int or float; None if it takes none."""
    return next((kind for kind in _kinds(field) if kind in (int, float)), None)


def _kinds(field):
    return typing.get_args(field.type) or (field.type,)


def _are_positive(values):
    """Whether a value is a list of integers of at least 1, and not empty."""
    return (
        isinstance(values, list)
        and bool(values)
        and all(type(number) is int and number > 0 for number in values)
    )


def _quoted(value, lists):
    if isinstance(value, list) and not lists:
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    text = repr(value) if isinstance(value, str) else format_value(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
