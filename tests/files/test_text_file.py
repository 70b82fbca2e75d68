import bz2
import gzip
import io
import lzma
import os
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import TextFile, check_start, raw_lines, text_lines

COMPRESS = {".txt": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


def zip_of(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("sea.txt", content)
    return file.getvalue()


def is_refused(content):
    try:
        check_start("texts.txt", content)
    except BadInput:
        return True
    return False


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(sorted(COMPRESS)))
def test_lines_are_those_of_the_bytes(content, suffix):
    assume(not is_refused(content))
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


TEXTS = {"English": "red rose 0\nred rose 1\n", "Russian": "красная роза\nсиняя\n"}


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize(
    "encoding",
    ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
def test_other_encodings_are_named(tmp_path, language, suffix, encoding):
    content = TEXTS[language].encode(encoding)
    path = tmp_path / f"texts{suffix}"
    path.write_bytes(COMPRESS[suffix](content))
    with TextFile(path) as file, pytest.raises(BadInput) as error:
        list(file)
    message = str(error.value)
    assert message.startswith(
        f"{path}: Expected UTF-8. Received: {encoding[:6].upper()}"
    )
    name = message.partition("iconv -f ")[2].partition(" ")[0]
    # What the remedy says gives the text.
    assert content.decode(name) == TEXTS[language]


@pytest.mark.parametrize(
    "content, kind, remedy",
    [
        (gzip.compress(b"sea"), "a gzip file", "a name that ends in .gz"),
        (lzma.compress(b"sea"), "an xz file", "a name that ends in .xz"),
        (bz2.compress(b"sea"), "a bzip2 file", "bunzip2"),
        (zip_of(b"sea"), "a zip archive", "save it as CSV"),
        (b"PAR1\x15\x04", "a Parquet file", "a name that ends in .parquet"),
    ],
    ids=["gzip", "xz", "bzip2", "zip", "Parquet"],
)
def test_files_that_are_no_text(tmp_path, content, kind, remedy):
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    expected = f"train.csv: Expected text. Received: {kind}.*{remedy}"
    with TextFile(path) as file, pytest.raises(BadInput, match=expected):
        list(file)


def test_carriage_returns_alone(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(b"sea\rsky\rsun\r")
    with TextFile(path) as file, pytest.raises(BadInput, match="carriage returns al"):
        list(file)
    for content in (
        b"sea\r\nsky\rsun\r\n",
        b"sea",
        b"s\0a\n",
        b"sea\r",
        "é\n".encode(),
        b"\1 \2 \3\n\4 \5 \6\n",
    ):
        path.write_bytes(content)
        with TextFile(path) as file:
            assert b"".join(file) == content


def test_a_pipe_without_its_byte_order_mark(tmp_path):
    read, write = os.pipe()
    os.write(write, b"\xef\xbb\xbfsea\r\nsky")
    os.close(write)
    with open(read, "rb") as file:
        lines = text_lines("standard input", raw_lines("standard input", file))
        assert list(lines) == ["sea", "sky"]
