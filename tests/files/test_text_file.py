import gzip
import lzma
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.bad_input import BadInput
from xmc_keras.files.text_file import TextFile, text_lines

COMPRESS = {".txt": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(sorted(COMPRESS)))
def test_lines_are_those_of_the_bytes(content, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"texts{suffix}")
        path.write_bytes(COMPRESS[suffix](content))
        with TextFile(path) as file:
            lines, share = list(file), file.share
    assert share == (1.0 if path.suffix != ".txt" or content else 0.0)
    assert b"".join(lines) == content.removeprefix(b"\xef\xbb\xbf")
    assert all(line.count(b"\n") == line.endswith(b"\n") for line in lines)
    assert all(line.endswith(b"\n") for line in lines[:-1])


def test_share_grows_with_what_is_read(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(b"word\n" * 100_000)
    shares = []
    with TextFile(path) as file:
        for i, _ in enumerate(file):
            if i % 20_000 == 0:
                shares.append(file.share)
    assert shares == sorted(shares) and shares[0] < 0.1
    assert shares == pytest.approx([0, 0.2, 0.4, 0.6, 0.8], abs=0.05)


def test_errors(tmp_path):
    with pytest.raises(BadInput, match="none.txt: Expected a text file. Received"):
        TextFile(tmp_path / "none.txt")
    for suffix in (".gz", ".xz"):
        path = tmp_path / f"texts{suffix}"
        whole = COMPRESS[suffix](b"sea\nsky\n" * 1000)
        for content in (whole[:-5], b"sea\nsky\n"):
            path.write_bytes(content)
            with TextFile(path) as file, pytest.raises(BadInput) as error:
                list(file)
            assert "Expected an intact file." in str(error.value)
            assert str(path) in str(error.value)


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
