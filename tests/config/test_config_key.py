import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.config.keys.config_key import (
    config_key,
    convert_value,
    describe_values,
    format_value,
)


@dataclasses.dataclass
class Keys:
    name: str = config_key("A name.")
    count: int = config_key("A count.", 3, minimum=1, maximum=9)
    share: float | None = config_key("A share.", None, above=0, below=1)
    flag: bool = config_key("A flag.", False)
    mode: str | bool = config_key("A mode.", "auto", choices=["auto", True, False])
    sizes: list | None = config_key("Sizes.", None, pair=True, minimum=2, maximum=8)
    epochs: list | None = config_key("Epochs.", None, form="increasing")
    levels: list | None = config_key("Levels.", None, form="powers")
    numbers: list | None = config_key("Numbers.", None, form="numbers")
    layers: list | None = config_key("Layers.", None, form="layers")


FIELDS = {field.name: field for field in dataclasses.fields(Keys)}
TAKEN = {  # what each key takes, written independently
    "name": lambda value: isinstance(value, str) and value.strip() != "",
    "count": lambda value: type(value) is int and value in range(1, 10),
    "share": lambda value: value is None or (type(value) is float and 0 < value < 1),
    "flag": lambda value: value is True or value is False,
    "mode": lambda value: value == "auto" or value is True or value is False,
    "sizes": lambda value: (
        value is None
        or value in [[a, b] for a in range(2, 9) for b in range(a, 9)]
        and {type(number) for number in value} == {int}
    ),
    "epochs": lambda value: (
        value is None or (takes_numbers(value) and value == sorted(set(value)))
    ),
    "levels": lambda value: (
        value is None
        or (takes_numbers(value) and value == sorted(set(value)))
        and {2**n for n in range(1, 70)} >= set(value)
    ),
    "numbers": lambda value: value is None or takes_numbers(value),
    "layers": lambda value: (
        value is None
        or takes_numbers(value)
        or (type(value) is list and value and all(map(takes_numbers, value)))
    ),
}


def takes_numbers(value):
    if type(value) is not list or {type(number) for number in value} != {int}:
        return False
    return min(value) >= 1


@pytest.mark.parametrize(
    "name, words",
    [
        ("name", "text"),
        ("count", "an integer of at least 1 and at most 9"),
        ("share", "a number above 0 and below 1, or null"),
        ("flag", "true or false"),
        ("mode", "auto or true or false"),
        (
            "sizes",
            "a list of a least and a largest number, such as [3, 5], of at least 2 and "
            "at most 8, or null",
        ),
    ],
)
def test_expected(name, words):
    assert describe_values(FIELDS[name]) == words


@pytest.mark.parametrize(
    "name, value, result",
    [
        ("share", "1e-4", 1e-4),
        ("share", "5E-1", 0.5),
        ("share", None, None),
        ("share", 0.5, 0.5),
        ("count", 9, 9),
        ("mode", True, True),
        ("sizes", (3, 3), [3, 3]),
        ("sizes", [2, 8], [2, 8]),
        ("epochs", [1, 3], [1, 3]),
        ("levels", [2, 64], [2, 64]),
        ("numbers", [3, 1, 3], [3, 1, 3]),
        ("layers", [3, [1, 2], 3], [[3], [1, 2], [3]]),
        ("mode", "auto", "auto"),
        ("name", "C:\\texts", "C:\\texts"),
    ],
)
def test_convert(name, value, result):
    converted = convert_value(FIELDS[name], value)
    assert converted == result
    assert type(converted) is type(result)


@pytest.mark.parametrize(
    "name, value, received",
    [
        ("count", True, "true"),
        ("count", "3", "'3'"),
        ("count", 3.0, "3.0"),
        ("count", 10, "10"),
        ("count", None, "null"),
        ("share", 0, "0"),
        ("share", 1, "1"),
        ("share", 10**400, "1000"),
        ("share", "nan", "'nan'"),
        ("share", -math.inf, "-inf"),
        ("share", False, "false"),
        ("flag", 1, "1"),
        ("flag", "yes", "'yes'"),
        ("mode", 1, "1"),
        ("sizes", [5, 3], "[5, 3]"),
        ("sizes", [1, 3], "[1, 3]"),
        ("sizes", [3], "[3]"),
        ("sizes", [3, 4, 5], "[3, 4, 5]"),
        ("sizes", [3.0, 5.0], "[3.0, 5.0]"),
        ("sizes", [True, 5], "[True, 5]"),
        ("sizes", "3-5", "'3-5'"),
        ("sizes", 3, "3"),
        ("epochs", [3, 1], "[3, 1]"),
        ("epochs", [0, 1], "[0, 1]"),
        ("epochs", [], "[]"),
        ("levels", [1, 2], "[1, 2]"),
        ("levels", [2, 6], "[2, 6]"),
        ("levels", [4, 2], "[4, 2]"),
        ("levels", 4, "4"),
        ("numbers", [3, 0], "[3, 0]"),
        ("numbers", [[3]], "[[3]]"),
        ("layers", [3, []], "[3, []]"),
        ("layers", [3, [0]], "[3, [0]]"),
        ("layers", [True], "[True]"),
        ("layers", [[[3]]], "[[[3]]]"),
        ("mode", "atuo", "'atuo' (did you mean auto?)"),
        ("name", " ", "' '"),
        ("name", 7, "7"),
        ("name", ["a"], "a list"),
        ("name", {"a": 1}, "a mapping"),
    ],
)
def test_wrong_value(name, value, received):
    with pytest.raises(ValueError) as error:
        convert_value(FIELDS[name], value)
    words = (
        f"Expected {name} to be {describe_values(FIELDS[name])}. Received: {received}"
    )
    assert str(error.value).startswith(words)
    assert str(error.value).endswith(".")


def test_long_value_is_cut_in_the_message():
    with pytest.raises(ValueError) as error:
        convert_value(FIELDS["count"], "x" * 1000)
    assert len(str(error.value)) < 200


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(list(FIELDS)),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["auto", ".5", "1e-3"])
    | st.lists(st.integers(), max_size=2)
    | st.lists(st.integers(1, 9), min_size=2, max_size=2)
    | st.dates(),
)
def test_any_value_is_taken_or_refused(name, value):
    try:
        converted = convert_value(FIELDS[name], value)
    except ValueError:
        # Nothing that the key takes is refused.
        assert not TAKEN[name](value)
    else:
        assert TAKEN[name](converted)
        if name == "layers" and value:
            value = [[number] for number in value]
        assert converted == (float(value) if isinstance(converted, float) else value)


@pytest.mark.parametrize(
    "value, text", [(None, "null"), (True, "true"), (1, "1"), (0.5, "0.5"), ("a", "a")]
)
def test_shown(value, text):
    assert format_value(value) == text
