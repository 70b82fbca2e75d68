import pytest

from xmc_keras.cli.tables import aligned


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([["a"]], ["a"]),
        (
            [["", "n"], ["long", "1"], ["x", "1000"]],
            ["         n", "long     1", "x     1000"],
        ),
    ],
)
def test_columns(lines, expected):
    assert aligned(lines).split("\n") == expected
