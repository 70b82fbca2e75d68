"""Data files that are damaged at random: no document is lost without being counted.

`pytest -m large -s tests/faults/test_mutated_data.py` reads 10,000 files and prints how
many documents were kept and left out, and how many files were refused.
"""

import collections
import gzip
import json
import lzma
import random
import tempfile
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import scipy.sparse

from xmc_keras.data.preparing.prepare_data import prepare_data
from xmc_keras.files.bad_input import BadInput

FEW, MANY = 400, 10_000
SECONDS = 10  # for a file of a few hundred bytes
ROWS = [
    ("red rose", ["warm", "plant"]),
    ("Straße, 东京 🌊", ["old"]),
    ('the "deep" sea; and | more', ["blue", "groß"]),
    ("sky", ["blue"]),
    ("café\u00a0au lait", ["warm", "old"]),
    ("{curly} [square] 'single'", ["plant"]),
    ("0 1 2", ["blue", "old", "warm"]),
    ("sun", ["groß"]),
]
NAMES = ["blue", "groß", "old", "plant", "warm"]


def ids(labels):
    return [NAMES.index(name) for name in labels]


def lines(*rows):
    return "".join(f"{row}\n" for row in rows).encode()


def table(delimiter, header, cell):
    quoted = [[part.replace('"', '""') for part in (t, cell(ls))] for t, ls in ROWS]
    rows = [delimiter.join(f'"{part}"' for part in row) for row in quoted]
    return lines(*([header] if header else []), *rows)


def plain(delimiter, header, cell):
    """A table without quotes, so that a document is a line."""
    rows = [(t.replace('"', "").replace(delimiter, ""), cell(ls)) for t, ls in ROWS]
    return lines(header, *(delimiter.join(row) for row in rows))


def parquet():
    columns = {"text": [t for t, _ in ROWS], "labels": [ls for _, ls in ROWS]}
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink, row_group_size=3)
    return sink.getvalue().to_pybytes()


def matrix():
    rows = [[float(name in labels) for name in NAMES] for _, labels in ROWS]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "Y.npz")
        scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(rows))
        return path.read_bytes()


TITLES = lines(*(json.dumps({"title": name}) for name in NAMES))
VECTORS = [[int(name in labels) for name in NAMES] for _, labels in ROWS]
# Kind -> format, files (the first is damaged) and options.
KINDS = {
    "folder, texts": (
        "folder",
        {
            "train_texts.txt": lines(*(t for t, _ in ROWS)),
            "train_labels.txt": lines(*(" ".join(ls) for _, ls in ROWS)),
        },
        {},
    ),
    "folder, labels": (
        "folder",
        {
            "train_labels.txt": lines(*(" ".join(ls) for _, ls in ROWS)),
            "train_texts.txt": lines(*(t for t, _ in ROWS)),
        },
        {},
    ),
    "repository": (
        "repository",
        {
            "trn.json": lines(
                *(
                    json.dumps({"title": t, "target_ind": ids(ls)}, ensure_ascii=False)
                    for t, ls in ROWS
                )
            ),
            "lbl.json": TITLES,
        },
        {},
    ),
    "repository, names": (
        "repository",
        {
            "lbl.json": TITLES,
            "trn.json": lines(
                *(json.dumps({"title": t, "target_ind": ids(ls)}) for t, ls in ROWS)
            ),
        },
        {},
    ),
    "json": (
        "json",
        {
            "train.jsonl": lines(
                *(
                    json.dumps({"text": t, "labels": ls}, ensure_ascii=False)
                    for t, ls in ROWS
                )
            )
        },
        {},
    ),
    "json, vectors": (
        "json",
        {
            "train.jsonl": lines(
                *(
                    json.dumps({"text": t, "labels": vector})
                    for (t, _), vector in zip(ROWS, VECTORS)
                )
            )
        },
        {},
    ),
    "pecos": (
        "pecos",
        {
            "X.trn.txt": lines(*(t for t, _ in ROWS)),
            "Y.trn.npz": matrix(),
            "output-items.txt": lines(*NAMES),
        },
        {},
    ),
    "pecos, matrix": (
        "pecos",
        {"Y.trn.npz": matrix(), "X.trn.txt": lines(*(t for t, _ in ROWS))},
        {},
    ),
    "pecos-tsv": (
        "pecos-tsv",
        {
            "train.txt": lines(
                *(f"{','.join(map(str, ids(ls)))}\t{t}" for t, ls in ROWS)
            )
        },
        {},
    ),
    "fasttext": (
        "fasttext",
        {
            "train.txt": lines(
                *(" ".join([*(f"__label__{n}" for n in ls), t]) for t, ls in ROWS)
            )
        },
        {},
    ),
    "annif": (
        "annif",
        {
            "train.tsv": lines(
                *(f"{t}\t{' '.join(f'<http://x/{n}>' for n in ls)}" for t, ls in ROWS)
            )
        },
        {},
    ),
    "csv": ("csv", {"train.csv": table(",", "text,labels", " ".join)}, {}),
    "csv, plain": ("csv", {"train.csv": plain(",", "text,labels", " ".join)}, {}),
    "csv, lists": ("csv", {"train.csv": table(",", "text,labels", json.dumps)}, {}),
    "csv, printed": ("csv", {"train.csv": table(";", "text;labels", repr)}, {}),
    "csv, no header": (
        "csv",
        {"train.csv": table(",", None, "|".join)},
        {
            "header": False,
            "text_column": "1",
            "label_column": "2",
            "label_separator": "|",
        },
    ),
    "tsv": ("tsv", {"train.tsv": plain("\t", "text\tlabels", " ".join)}, {}),
    "tsv, no quotes": (
        "tsv",
        {"train.tsv": plain("\t", "text\tlabels", " ".join)},
        {"quotes": False},
    ),
    "parquet": ("parquet", {"train.parquet": parquet()}, {}),
    "annif-folder": (
        "annif-folder",
        {
            "b.txt": b"red rose\n",
            "b.tsv": "<http://x/1>\tgroß\n".encode(),
            "a.txt": "Straße\n".encode(),
            "a.key": b"old\nblue\n",
        },
        {},
    ),
}
# Where each line of the damaged file is a document; in tables, empty ones are not.
LINES = {"folder, texts", "folder, labels", "repository", "json", "json, vectors"}
LINES |= {"pecos", "pecos-tsv", "fasttext"}
WITHOUT_QUOTES = {"annif", "tsv, no quotes"}
COMPRESS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
BYTES = [
    b"\0",
    b"\r",
    b"\n",
    b"\xef\xbb\xbf",
    b'"',
    b"'",
    b",",
    b";",
    b"\t",
    b" ",
    b"|",
]
BYTES += [
    b"[",
    b"]",
    b"{",
    b"\\",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\r\n",
    b"__label__",
]
BYTES += [
    "\u2028".encode(),
    "\u200b".encode(),
    "é".encode("cp1252"),
    b"nan",
    b"0",
    b"1e999",
]
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "utf-8-sig")


def flip(content, rng):
    place = rng.randrange(len(content))
    byte = content[place] ^ (1 << rng.randrange(8))
    return content[:place] + bytes([byte]) + content[place + 1 :]


def cut(content, rng):
    return content[: rng.randrange(len(content))]


def insert(content, rng):
    place = rng.choice([0, len(content), rng.randrange(len(content) + 1)])
    return content[:place] + rng.choice(BYTES) + content[place:]


def delete(content, rng):
    start = rng.randrange(len(content))
    return content[:start] + content[start + rng.randrange(1, 20) :]


def of_lines(change):
    """A change of the list of lines."""

    def changed(content, rng):
        found = content.split(b"\n")
        change(found, rng)
        return b"\n".join(found)

    return changed


@of_lines
def swap_lines(found, rng):
    i, j = rng.randrange(len(found)), rng.randrange(len(found))
    found[i], found[j] = found[j], found[i]


@of_lines
def repeat_line(found, rng):
    found.insert(rng.randrange(len(found)), rng.choice(found))


@of_lines
def drop_line(found, rng):
    del found[rng.randrange(len(found))]


@of_lines
def repeat_column(found, rng):
    delimiter = rng.choice([b",", b"\t", b";"])
    for i, row in enumerate(found):
        cells = row.split(delimiter)
        found[i] = delimiter.join([*cells, cells[rng.randrange(len(cells))]])


@of_lines
def end_lines_otherwise(found, rng):
    end = rng.choice([b"\r", b"\r\r", b" ", b""])
    for i in range(len(found)):
        if rng.random() < 0.5:
            found[i] += end


def encode(content, rng):
    text = content.decode(errors="replace")
    return text.encode(rng.choice(ENCODINGS), errors="replace")


def macintosh(content, rng):
    return content.replace(b"\n", b"\r")


CHANGES = [flip, cut, insert, insert, delete, swap_lines, repeat_line, drop_line]
CHANGES += [repeat_column, end_lines_otherwise, encode, macintosh]


def damage(content, rng):
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if content:
            content = rng.choice(CHANGES)(content, rng)
    return content


def count_documents(kind, path, folder):
    """The documents in a damaged file, counted without the library; or `None`."""
    if kind == "parquet":
        return pyarrow.parquet.ParquetFile(path).metadata.num_rows
    if kind == "annif-folder":
        return sum(1 for _ in folder.glob("*.txt"))
    if kind in ("pecos, matrix", "repository, names"):
        return len(ROWS)
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if path.suffix == ".xz":
        content = lzma.decompress(content)
    found = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    found.pop() if found[-1] == b"" else None
    if kind in LINES:
        return len(found)
    header = kind not in ("annif", "csv, no header")
    if kind in WITHOUT_QUOTES:
        return sum(1 for row in found if row.strip(b"\r")) - header
    mark = b";" if "printed" in kind else b"," if "csv" in kind else b"\t"
    return count_rows([row + b"\n" for row in found], mark[0]) - header


def count_rows(found, delimiter):
    """Rows of a table with quotes; a row that is no CSV ends with its line."""
    start, plain, quoted, closed, ended = range(5)
    state, is_empty, rows = start, True, 0
    for row in found:
        for byte in row:
            is_end = byte in b"\r\n"
            if state == closed and byte == ord('"'):
                state = quoted
                continue
            goes_on = is_end or (state == closed and byte == delimiter)
            if state in (closed, ended) and not goes_on:
                state, is_empty = start, False
                break  # no CSV
            is_empty &= is_end and state in (start, ended)
            if state == quoted:
                state = closed if byte == ord('"') else quoted
            elif is_end:
                state = ended
            elif byte == delimiter:
                state = start
            elif state == start:
                state = quoted if byte == ord('"') else plain
        if state != quoted:
            rows += not is_empty
            state, is_empty = start, True
    return rows + (state == quoted)


def check_file(kind, rng, counts):
    """Damages a file of a kind, prepares the folder, and counts its documents."""
    format, files, options = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        damaged, *_ = files
        suffix = ""
        if format not in ("parquet", "annif-folder") and not damaged.endswith(".npz"):
            suffix = rng.choice(["", "", "", *COMPRESS])
        for name, content in files.items():
            (source / name).write_bytes(content)
        path = source / damaged
        content = damage(path.read_bytes(), rng)
        if suffix:
            path.unlink()
            path = source / f"{damaged}{suffix}"
            content = COMPRESS[suffix](content)
            if rng.random() < 0.2:
                content = rng.choice([flip, cut])(content, rng)
        path.write_bytes(content)
        # The format is found where it is not named, and may then be another one.
        named = rng.random() < 0.7
        options = {**options, "format": format if named else None}
        results = []
        begun = time.monotonic()
        for skip in (False, True):
            made = Path(folder, f"made{skip}")
            try:
                summary = prepare_data(source, made, skip_bad_lines=skip, **options)
            except BadInput as error:
                message = str(error)
                assert "Expected" in message and "Received" in message, message
                assert "\n" not in message and not made.exists(), message
                results.append(None)
            else:
                texts = (made / "train_texts.txt").read_bytes().count(b"\n")
                labels = (made / "train_labels.txt").read_bytes().count(b"\n")
                assert texts == labels == summary["train"]["documents"]
                results.append((texts, summary["train"]["bad_lines"]))
        assert time.monotonic() - begun < SECONDS
        strict, found = results
        counts["files"] += 1
        if found is None:
            # What cannot be read with bad lines left out cannot be read with them.
            assert strict is None
            counts["refused"] += 1
            return
        if strict is not None:
            assert (strict, strict[1]) == (found, 0)
        kept, bad = found
        counts["kept"] += kept
        counts["bad"] += bad
        expected = count_documents(kind, path, source) if named else None
        if expected is not None:
            assert kept + bad == expected, (kept, bad, expected)
            counts["counted"] += 1


def check_files(number, seed):
    counts = collections.Counter()
    for i in range(number):
        kind = list(KINDS)[i % len(KINDS)]
        try:
            check_file(kind, random.Random(f"{seed} {i}"), counts)
        except Exception as error:
            raise AssertionError(f"{kind}, file {i} of seed {seed}") from error
    return counts


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level("ERROR")


def test_a_few_damaged_files():
    counts = check_files(FEW, "few")
    assert counts["kept"] > FEW and counts["bad"] > FEW / 4
    assert FEW / 10 < counts["refused"] < FEW / 2 < counts["files"] == FEW
    assert counts["counted"] > FEW / 4


@pytest.mark.large
def test_many_damaged_files():
    counts = check_files(MANY, "many")
    print(dict(counts))
    assert counts["files"] == MANY
