import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import text_lines
from xmc_keras.files.text_share import TextShare, check_share, parse_share

MARK = b"\xef\xbb\xbf"
# Short lines and long ones, so that shares begin within lines, at their ends, and have
# none; letters only, which `check_start` takes for text.
LINES = st.lists(st.sampled_from([b"", b"\r", b"a", b"sea", b"long" * 9]), max_size=12)


@settings(max_examples=150, deadline=None)
@given(LINES, st.booleans(), st.sampled_from([b"", MARK]), st.integers(1, 60))
def test_each_line_is_in_one_share(lines, ends, mark, count):
    content = mark + b"\n".join(lines) + b"\n" * ends
    found, begins = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "texts.txt")
        path.write_bytes(content)
        for number in range(1, count + 1):
            with TextShare(path, number, count) as file:
                assert file.size == len(content)
                before, of_share = file.lines_before, list(file)
                assert file.share == 1.0
            assert before == len(found) or not of_share
            found += of_share
            begins += [number] * len(of_share)
    # The oracle: where each line begins, and the range that this place is in.
    expected = re.findall(rb"[^\n]*\n|[^\n]+", content)
    places = [sum(map(len, expected[:i])) for i in range(len(expected))]
    numbers = [
        next(n for n in range(1, count + 1) if place < len(content) * n // count)
        for place in places
    ]
    assert begins == numbers
    assert b"".join(found) == content.removeprefix(mark)
    assert [len(x) for x in found[1:]] == [len(x) for x in expected[1:]]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=50), st.integers(1, 9))
def test_any_bytes_are_read_once_and_in_order(content, count):
    content = b"words, words and words\n" + content  # text, whatever follows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "texts.txt")
        path.write_bytes(content)
        found = []
        for number in range(1, count + 1):
            with TextShare(path, number, count) as file:
                found += file
    assert b"".join(found) == content
    assert all(line.count(b"\n") == line.endswith(b"\n") for line in found)
    assert all(line.endswith(b"\n") for line in found[:-1])


def test_share_grows_with_what_is_read(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(b"word\n" * 1000)
    with TextShare(path, 2, 4) as file:
        shares = [file.share for _ in file]
    assert shares == pytest.approx([i / 250 for i in range(1, 251)])


def test_messages_have_the_line_of_the_file(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(b"sea\nsky\nland\n\xff\ntree\n\xfe\n")
    bad = []
    with TextShare(path, 2, 2) as file:
        assert list(text_lines(path, file, bad.append)) == ["tree"]
    assert [error.line for error in bad] == [4, 6]


def test_errors(tmp_path):
    for name, message in (
        ("none.txt", "none.txt: Expected a text file. Received: No such file"),
        ("texts.gz", "to cut into shares. Received: a compressed file. Unpack it"),
        ("texts.xz", "to cut into shares. Received: a compressed file. Unpack it"),
        ("wide.txt", "Expected UTF-8. Received: UTF-16. Convert it: iconv"),
    ):
        path = tmp_path / name
        if name != "none.txt":
            path.write_bytes("sea\nsky".encode("utf-16"))
        with pytest.raises(BadInput, match=message), TextShare(path, 2, 2) as file:
            list(file)
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)  # else opening it would wait
    with pytest.raises(BadInput, match="Received: no file on a disk. Write it to"):
        TextShare(tmp_path / "pipe", 1, 2)
    os.close(writer)


@pytest.mark.parametrize(
    "text", "0/8 9/8 -1/8 1/0 2 2/ /8 a/b 1/2/3 1.5/2 ²/8".split() + ["", " 1/2"]
)
def test_shares_that_are_none(text):
    message = "Expected a share such as 2/8, the second of eight, counted from 1. Rec"
    with pytest.raises(BadInput, match=f"{message}eived: {text}."):
        parse_share(text)


@pytest.mark.parametrize("share", [(0, 8), (9, 8), (1,), "18", 3, (1.0, 2), (True, 2)])
def test_shares_in_python_that_are_none(share):
    with pytest.raises(BadInput, match="Expected a share such as 2/8"):
        check_share(share)
    assert check_share([1, 1]) == (1, 1)
