import gzip
import lzma
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xmc_keras.data.features import feature_file as module
from xmc_keras.data.features.feature_file import read_feature_file
from xmc_keras.files.bad_input import BadInput

COMPRESS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
MATRICES = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(
        matrices(shape[0], shape[1], [0, 0, 0.5, -2.25, 3e-8]),
        matrices(shape[0], shape[2], [0, 1]),
    )
)
NUMBERS = ["0", "1", "3", "99999999999", "2147483648", "-1", "x", "1:2", "1.0"]
HEADERS = st.lists(st.sampled_from(NUMBERS), max_size=4).map(" ".join)


def matrices(rows, columns, values):
    row = st.lists(st.sampled_from(values), min_size=columns, max_size=columns)
    return st.lists(row, min_size=rows, max_size=rows)


def lines_of(features, labels):
    for row, row_labels in zip(features, labels):
        ids = ",".join(str(i) for i, value in enumerate(row_labels) if value)
        pairs = [f"{i}:{value!r}" for i, value in enumerate(row) if value]
        yield " ".join([ids, *reversed(pairs)])


def read(content, suffix="", **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"f.txt{suffix}")
        path.write_bytes(content)
        try:
            return read_feature_file(path, **options)
        except BadInput as error:
            assert str(error).startswith(str(path))
            raise BadInput(str(error).removeprefix(folder + "/")) from None


@settings(deadline=None, max_examples=60)
@given(MATRICES, st.sampled_from(list(COMPRESS)), st.booleans(), st.integers(1, 40))
def test_round_trip(data, suffix, final_newline, block):
    features, labels = data
    header = f"{len(features)} {len(features[0])} {len(labels[0])}"
    content = "\n".join([header, *lines_of(features, labels)]).encode()
    # Without a newline, an empty last document would not be a line.
    content += b"\n" if final_newline or content.endswith(b"\n") else b""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        found = read(COMPRESS[suffix](content), suffix)
    assert found[0].toarray().tolist() == np.array(features, np.float32).tolist()
    assert found[1].toarray().tolist() == labels and found[2]


@settings(deadline=None, max_examples=60)
@given(MATRICES)
def test_without_header(data):
    features, labels = (np.array(part, np.float32) for part in data)
    content = "".join(f"{line}\n" for line in lines_of(*data)).encode()
    if content.split(b"\n")[0].split()[1:2] == []:
        content = b"0 0:1\n" + content  # a first line with a single token
        features = np.vstack([np.eye(1, features.shape[1]), features])
        labels = np.vstack([np.eye(1, labels.shape[1]), labels])
    found = read(content)
    widths = [1 + max(np.flatnonzero(m.any(0)), default=-1) for m in (features, labels)]
    assert found[0].toarray().tolist() == features[:, : widths[0]].tolist()
    assert found[1].toarray().tolist() == labels[:, : widths[1]].tolist()
    assert not found[2]


@settings(deadline=None, max_examples=60)
@given(
    HEADERS, st.binary(max_size=20), st.sampled_from([None, 2, 3]), st.integers(1, 9)
)
@example("1 2147483647 2147483647", b"5 7:1", None, 5)
@example("9223372036854775807 1 1", b"", None, 5)
def test_any_bytes_are_read_or_bad_input(header, content, wanted, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        try:
            features, labels, _ = read(f"{header}\n".encode() + content, header=wanted)
        except BadInput:
            return
    assert features.shape[0] == labels.shape[0] > 0
    assert np.isfinite(features.data).all()


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([".gz", ".xz"]), st.data())
def test_damaged_compressed_file(suffix, data):
    content = b"300 9 9\n" + b"1,2 3:0.5 7:1\n" * 300
    damaged = bytearray(COMPRESS[suffix](content))
    place = data.draw(st.integers(0, len(damaged) - 1))
    if data.draw(st.booleans()):
        damaged = damaged[:place]
    else:
        damaged[place] ^= data.draw(st.integers(1, 255))
    try:
        features, labels, _ = read(bytes(damaged), suffix)
    except BadInput:
        return
    assert features.nnz == labels.nnz == 600  # the byte does not affect the content


@pytest.mark.parametrize(
    "content, header, message",
    [
        (b"", None, "f.txt: Expected one document per line. Received: none."),
        (b"0 5 5\n", None, "f.txt: Expected one document per line. Received: none."),
        (b"3 5 5\n1 2:3\n", None, "f.txt:1: Expected 3 documents, .* Received: 1."),
        (b"1 5 5\n1 2:3\n\n", None, "f.txt:1: Expected 1 documents, .* Received: 2."),
        (b"2 5 5\n1 2:3\n1 5:3\n", None, "f.txt:3: Expected ids below 5, .* 5. Ids"),
        (b"2 9 5\n1 2:3\n1,5 5:3\n", None, "f.txt:3: Expected ids below 5, .* 5. Ids"),
        (b"1 5\n1 2:3\n", None, "f.txt:1: Expected 3 numbers, documents, features, la"),
        (b"1 5\n1 2:3\n", 2, "f.txt:2: Expected id:weight. Received: 1."),
        (b"1:2\n1 2:3\n", 2, "f.txt:1: Expected 2 numbers, documents, features, each"),
        (b"1 5 2147483648\n", None, "each at most 2147483647. Received: '1 5 2147483"),
        (b"2 5 5\n1 2:3\n1 2:nan\n", None, "f.txt:3: .* a finite number. .*'2:nan'"),
    ],
)
def test_errors_say_what_is_wrong(content, header, message):
    with pytest.raises(BadInput, match=message):
        read(content, header=header)


def test_truncated_gzip_names_the_line(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 2**10)
    content = b"900 9 9\n" + b"1,2 3:0.5 7:1\n" * 900
    message = r"f.txt.gz:\d+: Expected an intact file. .*ended"
    with pytest.raises(BadInput, match=message):
        read(gzip.compress(content, 0)[:-2000], ".gz")


def test_no_file(tmp_path):
    with pytest.raises(BadInput, match="no.txt.* Received: No such file"):
        read_feature_file(tmp_path / "no.txt")


def test_a_byte_order_mark_and_other_encodings():
    content = "1 2 2\n0 1:2.5\n"
    plain, marked = (read(content.encode(e), header=3) for e in ("utf-8", "utf-8-sig"))
    assert np.array_equal(marked[0].toarray(), [[0, 2.5]])
    assert np.array_equal(marked[0].toarray(), plain[0].toarray())
    with pytest.raises(BadInput, match="Expected UTF-8. Received: UTF-16"):
        read(content.encode("utf-16"))
