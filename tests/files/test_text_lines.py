import pytest

from xmc_keras.bad_input import BadInput
from xmc_keras.files.text_file import text_lines


def test_line_ends_go_and_nothing_else():
    lines = ["sea\n".encode(), b"sky\r\n", b" \t\n", "Ü\u2028 😀".encode(), b""]
    assert list(text_lines("x", lines)) == ["sea", "sky", " \t", "Ü\u2028 😀", ""]


def test_texts_before_a_bad_line_come_through():
    texts = text_lines("standard input", [b"sea\n", b"s\xffy\n"])
    assert next(texts) == "sea"
    with pytest.raises(BadInput) as error:
        next(texts)
    assert str(error.value).startswith("standard input:2: Expected UTF-8. Received: ")
    assert "byte 0xff at offset 1" in str(error.value)
