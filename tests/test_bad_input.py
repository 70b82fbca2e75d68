import pytest

from xmc_keras.bad_input import BadInput


@pytest.mark.parametrize(
    "place, expected",
    [
        ((), "Expected a label."),
        (("labels.txt",), "labels.txt: Expected a label."),
        (("labels.txt", 3), "labels.txt:3: Expected a label."),
        ((None, 3), "Expected a label."),
    ],
)
def test_message_opens_with_the_place(place, expected):
    error = BadInput("Expected a label.", *place)
    assert str(error) == expected
    assert isinstance(error, ValueError)
