import pytest

from xmc_keras.cli.tables import align_columns


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
    assert align_columns(lines).split("\n") == expected
