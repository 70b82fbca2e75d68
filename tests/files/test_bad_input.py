import pytest

from xmc_keras.files.bad_input import BadInput


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


def test_only_the_remedy_is_worded():
    error = BadInput("Received: `resume=True`.", "f", 2, "Drop `resume=True`.")
    assert str(error) == "f:2: Received: `resume=True`. Drop `resume=True`."
    worded = error.word({"`resume=True`": "--resume"})
    assert worded == "f:2: Received: `resume=True`. Drop --resume."


def test_a_file_for_an_error_without():
    assert str(BadInput("Expected text.", remedy="Mend it.").at("f")) == (
        "f: Expected text. Mend it."
    )
    error = BadInput("Expected text.", "g", 1)
    assert error.at("f") is error
