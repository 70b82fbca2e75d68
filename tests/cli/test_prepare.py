import json
import lzma
import os
import re
import signal
import time

import pytest
import scipy.sparse

from tests.helpers.programs import start
from tests.helpers.project import PROJECT
from xmc_keras.data.documents import read_documents
from xmc_keras.data.formats.document import Document
from xmc_keras.data.formats.fasttext import write_fasttext
from xmc_keras.data.preparing.prepared_folder import PreparedFolder

DEBIAN = PROJECT / "data/debian24k"


@pytest.fixture
def prepare(call, tmp_path, caplog):
    """Runs the command on `tmp_path/source`; the result goes to `tmp_path/made`."""

    def prepare(*arguments, source="source", target="made"):
        places = [tmp_path / source, tmp_path / target]
        return call("prepare", *places, *arguments, tensorflow=False)

    (tmp_path / "source").mkdir()
    caplog.set_level("INFO")
    return prepare


def fails(result, pattern, folder):
    assert (result.status, result.stdout) == (2, ""), result.stderr
    errors = [li for li in result.stderr.splitlines() if li.startswith("error: ")]
    assert len(errors) == 1 and re.search(pattern, errors[0]), result.stderr
    assert not (folder / "made").exists()


def summary(folder):
    return json.loads((folder / "made/summary.json").read_text())


def test_a_folder_that_fit_reads(prepare, tmp_path, caplog):
    source = tmp_path / "source"
    (source / "train.csv").write_text(
        'text,labels\n"red\nrose",big oak;plant;plant\nred rose,big_oak\nsky,plant\n'
    )
    (source / "test.csv").write_text("text,labels\nsky,plant\nsun,old\n")
    result = prepare("--label-separator", ";")
    assert result.status == 0, result.stderr
    assert "The format is csv" in caplog.text
    made = tmp_path / "made"
    assert {path.name for path in made.iterdir()} == {
        "train_texts.txt",
        "train_labels.txt",
        "test_texts.txt",
        "test_labels.txt",
        "renamed_labels.tsv",
        "summary.json",
        "digests.json",
    }
    train = read_documents(made, "train")
    assert train.texts == ["red rose", "red rose", "sky"]
    assert train.labels == [["big_oak", "plant"], ["big_oak~"], ["plant"]]
    assert read_documents(made, "test").labels == [["plant"], ["old"]]
    assert (made / "renamed_labels.tsv").read_text() == (
        "big_oak\tbig oak\nbig_oak~\tbig_oak\n"
    )
    assert summary(tmp_path) == {
        "train": {
            "documents": 3,
            "bad_lines": 0,
            "labels": 3,
            "labels_a_document": 1.3333,
            "words_a_document": 1.67,
            "duplicates": 1,
        },
        "test": {
            "documents": 2,
            "bad_lines": 0,
            "labels": 2,
            "labels_a_document": 1.0,
            "words_a_document": 1.0,
            "duplicates": 0,
            "texts_in_train": 1,
            "labels_not_in_train": 1,
        },
        "labels": 4,
        "tail_labels": 1.0,
        "labels_fit_texts": None,
        "renamed_labels": 2,
        "label_names": {
            "most_frequent": {"plant": 3, "big oak": 1, "big_oak": 1},
            "others": {"old": 1},
        },
        "warnings": [
            "1 of 3 documents repeat the text of an earlier one: 'red rose' (2 times). "
            "Check that the text column is as meant, and join the labels of equal "
            "texts."
        ],
    }
    assert "Most frequent: 'plant' (3), 'big oak' (1), 'big_oak' (1)" in result.stdout
    assert "Others: 'old' (1)\nWarning: 1 of 3 documents repeat" in result.stdout
    assert "documents" in result.stdout and "4 labels; 100.0%" in result.stdout
    assert "2 labels have white space" in caplog.text


def test_figures_against_plain_python(prepare, tmp_path):
    """Real documents; some are repeated and some are in both parts."""
    texts, labels = (
        lzma.open(DEBIAN / f"test_{kind}.txt.xz", "rt", encoding="utf-8")
        .read()
        .splitlines()
        for kind in ("texts", "labels")
    )
    rows = list(zip(texts, labels))
    parts = {"train": rows[:2000] + rows[:7], "test": rows[1990:2100]}
    for part, found in parts.items():
        for kind, lines in zip(("texts", "labels"), zip(*found)):
            content = "".join(f"{line}\n" for line in lines)
            (tmp_path / f"source/{part}_{kind}.txt").write_bytes(content.encode())
    assert prepare().status == 0
    found = summary(tmp_path)
    for part, rows in parts.items():
        assert found[part]["documents"] == len(rows)
        names = [name for _, label in rows for name in label.split()]
        assert found[part]["labels"] == len(set(names))
        mean = len(names) / len(rows)
        assert found[part]["labels_a_document"] == pytest.approx(mean, abs=1e-4)
        words = sum(len(text.split()) for text, _ in rows) / len(rows)
        assert found[part]["words_a_document"] == pytest.approx(words, abs=0.01)
        duplicates = len(rows) - len({text for text, _ in rows})
        assert found[part]["duplicates"] == duplicates
    assert found["train"]["duplicates"] >= 7 and found["test"]["texts_in_train"] >= 10
    counts = {}
    for _, label in parts["train"]:
        for name in label.split():
            counts[name] = counts.get(name, 0) + 1
    tail = sum(count <= 5 for count in counts.values()) / len(counts)
    assert found["tail_labels"] == pytest.approx(tail, abs=1e-4)
    assert found["labels_fit_texts"] > 10
    for name in ("train_texts.txt", "test_labels.txt"):
        source = (tmp_path / "source" / name).read_bytes()
        assert (tmp_path / "made" / name).read_bytes() == source


def test_labels_in_another_order_than_the_texts(prepare, tmp_path, caplog):
    for kind, turn in (("texts", 0), ("labels", 1000)):
        with lzma.open(DEBIAN / f"test_{kind}.txt.xz", "rb") as file:
            lines = file.readlines()[:2000]
        path = tmp_path / f"source/train_{kind}.txt"
        path.write_bytes(b"".join(lines[turn:] + lines[:turn]))
    assert prepare().status == 0
    assert "no more alike than others" in caplog.text
    assert abs(summary(tmp_path)["labels_fit_texts"]) < 4
    assert "There is no test part" in caplog.text


def test_a_test_part_that_is_drawn(prepare, tmp_path):
    documents = [
        Document(f"text {i // 2}", [f"label{i % 5}"], i + 1) for i in range(2000)
    ]
    write_fasttext(documents, tmp_path / "source/train.txt")
    assert prepare("--test-share", 0.25).status == 0
    train = read_documents(tmp_path / "made", "train")
    test = read_documents(tmp_path / "made", "test")
    assert len(train) + len(test) == 2000 and 400 < len(test) < 600
    assert not set(train.texts) & set(test.texts)
    texts = iter(document.text for document in documents)
    assert all(text in texts for text in train.texts)  # in order


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "datasets"])
def test_groups_of_tables(kind, prepare, tmp_path, call):
    rows = [
        {"text": f"text {i}", "labels": f"a b{i % 3}", "author": f"Ann {i // 8}"}
        for i in range(400)
    ]
    source = tmp_path / "source"
    if kind == "jsonl":
        for row in rows:
            row["author"] = int(row["author"][4:])  # numbers are names, too
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (source / "train.jsonl").write_text(lines)
    elif kind == "datasets":
        datasets = pytest.importorskip("datasets")
        part = datasets.Dataset.from_list(rows)
        datasets.DatasetDict({"train": part}).save_to_disk(source)
    else:
        frame = pytest.importorskip("pandas").DataFrame(rows)
        if kind == "parquet":
            pytest.importorskip("pyarrow")
            frame.to_parquet(source / "train.parquet")
        else:
            frame.to_csv(source / "train.csv", index=False)
    result = prepare("--group-column", "author", "--test-share", 0.2)
    assert result.status == 0, result.stderr
    made = tmp_path / "made"
    read = read_documents(made, "train", groups="train_groups.txt")
    of = {row["text"]: str(row["author"]) for row in rows}
    assert read.groups == [of[text] for text in read.texts] and len(set(of)) == 400
    drawn = read_documents(made, "test").texts
    assert 40 < len(drawn) < 120 and len(drawn) + len(read) == 400
    assert not {of[text] for text in drawn} & set(read.groups)
    assert not (made / "test_groups.txt").exists()
    # And in the next folder.
    assert call("prepare", made, tmp_path / "again").status == 0
    again = tmp_path / "again/train_groups.txt"
    assert again.read_bytes() == (made / "train_groups.txt").read_bytes()


def test_an_empty_group(prepare, tmp_path):
    source = tmp_path / "source/train.csv"
    source.write_text("text,labels,author\nsea,a,Ann\nsky,b,\nsun,a,Bob Lee\n")
    pattern = "train.csv:3: Expected the name or number of a group. Received: an empty"
    fails(prepare("--group-column", "author"), pattern, tmp_path)
    assert prepare("--group-column", "author", "--skip-bad-lines").status == 0
    assert (tmp_path / "made/train_groups.txt").read_text() == "Ann\nBob Lee\n"


def test_bad_lines(prepare, tmp_path, caplog):
    path = tmp_path / "source/train.txt"
    path.write_bytes(b"__label__a sea\r\nsky\r\n__label__b s\xffn\n__label__b sun\n")
    fails(prepare(), f"{path}:2: Expected labels. Received: none.*--skip-bad", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]
    assert prepare("--skip-bad-lines").status == 0
    assert summary(tmp_path)["train"]["bad_lines"] == 2
    assert read_documents(tmp_path / "made", "train").texts == ["sea", "sun"]
    assert f"train: 2 documents left out. The first: {path}:2: " in caplog.text


def test_nothing_but_bad_lines(prepare, tmp_path):
    (tmp_path / "source/train.txt").write_bytes(b"__label__a \n")
    result = prepare("--skip-bad-lines", "--format", "fasttext")
    fails(result, "Expected documents to train on. Received: none.*txt:1", tmp_path)


def test_filtered_labels_are_kept_in_a_file_of_their_own(prepare, tmp_path):
    for part in ("trn", "tst"):
        rows = [{"content": "sea", "target_ind": [0, 1]}] * 2
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"source/{part}.json").write_text(lines)
    titles = "".join(f'{{"title": "{title}"}}\n' for title in ("blue", "very old"))
    (tmp_path / "source/lbl.json").write_text(titles)
    (tmp_path / "source/filter_labels_test.txt").write_text("1 1\n")
    assert prepare().status == 0
    made = tmp_path / "made"
    assert (made / "test_labels.txt").read_text() == "blue very_old\nblue\n"
    assert (made / "test_filter.txt").read_text() == "\nvery_old\n"
    assert not (made / "train_filter.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["--test-share", 1], "between 0 and 1. Received: 1.0"),
        (["--test-share", 0.1, "--test", "x"], "Received: both"),
        (["--label-separator", ""], "Expected a character for --label-sep"),
        (["--prefix", " "], "Expected characters for --prefix"),
        (["--test", "nowhere"], "nowhere: Expected the file of the test part"),
        (["--group-column", "a", "--format", "fasttext"], "out --group-column, which"),
        (["--format", "parquet"], "Expected train.parquet or trn.parquet"),
        (["--format", "pecos", "--labels", "nowhere"], "Expected X.train.txt"),
    ],
)
def test_arguments(prepare, tmp_path, arguments, pattern):
    (tmp_path / "source/train.txt").write_text("__label__a sea\n")
    fails(prepare(*arguments), pattern, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source"]


def test_places_that_are_taken(prepare, tmp_path):
    (tmp_path / "source/train.txt").write_text("__label__a sea\n")
    mine = tmp_path / "made/mine"
    mine.mkdir(parents=True)
    for flags in ([], ["--overwrite"], ["--resume"]):
        result = prepare(*flags)
        assert (
            result.status == 2 and "Received: something else. Choose" in result.stderr
        )
    mine.rmdir()
    assert prepare().status == 0
    result = prepare()
    assert result.status == 2 and "Replace it with --overwrite" in result.stderr
    (tmp_path / "source/train.txt").write_text("__label__a sky\n")
    assert prepare("--resume").status == 0  # already complete
    assert read_documents(tmp_path / "made", "train").texts == ["sea"]
    assert prepare("--overwrite").status == 0
    assert read_documents(tmp_path / "made", "train").texts == ["sky"]
    result = prepare(source="made")
    assert result.status == 2 and "a target that is not the source" in result.stderr


@pytest.mark.parametrize("target", [".", "sub/..", "missing/../x"])
def test_a_target_without_a_name(call, tmp_path, monkeypatch, target):
    (tmp_path / "train.txt").write_text("__label__a sea\n")
    (tmp_path / "empty/sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty")
    for flags in ([], ["--resume"], ["--overwrite"]):
        command = ["prepare", tmp_path / "train.txt", target, *flags]
        result = call(*command, tensorflow=False)
        fails(result, f"{target}: Expected a place for data. Received: ", tmp_path)
    assert os.listdir() == ["sub"] and not os.listdir("sub")


def test_a_target_within_the_source(prepare, tmp_path, monkeypatch):
    """Its files are none of the source: stopped, resumed and begun again."""
    source = tmp_path / "source"
    (source / "train_texts.txt").write_text("sea\nsky\n")
    (source / "train_labels.txt").write_text("a\nb\n")

    def stop(folder, summary):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PreparedFolder, "finish", stop)
        assert prepare(target="source/made").status == 130
    assert (source / "made.part/state.npz").exists()
    assert prepare("--resume", target="source/made").status == 0
    with monkeypatch.context() as patch:
        patch.setattr(PreparedFolder, "finish", stop)
        assert prepare("--overwrite", target="source/made").status == 130
    assert prepare("--resume", target="source/made").status == 0
    assert prepare("--overwrite", target="source/made").status == 0
    assert read_documents(source / "made", "train").texts == ["sea", "sky"]
    assert not list(source.glob("*.part")) and not list(source.glob(".*"))
    # Other data is still noticed.
    with monkeypatch.context() as patch:
        patch.setattr(PreparedFolder, "finish", stop)
        prepare("--overwrite", target="source/made")
    (source / "train_texts.txt").write_text("sea\nsun\n\n")
    result = prepare("--resume", target="source/made")
    assert result.status == 2 and "Expected the data and settings" in result.stderr


def test_a_source_within_the_target(prepare, tmp_path):
    """It would be deleted with what was prepared earlier."""
    source = tmp_path / "made/raw"
    (tmp_path / "source/train.txt").write_text("__label__a sea\n")
    assert prepare().status == 0
    (tmp_path / "source").rename(source)
    for path in ("made/raw", "made/raw/train.txt"):
        result = prepare("--overwrite", source=path)
        assert result.status == 2 and "a target without the source in it" in (
            result.stderr
        )
        assert "Choose another target." in result.stderr
    assert (source / "train.txt").exists()


def test_a_killed_program_resumes(tmp_path):
    source, made = tmp_path / "train.txt", tmp_path / "made"
    count = 50_000
    lines = [f"__label__l{i % 997} text {i * 7919 % 1_000_003}\n" for i in range(count)]
    source.write_text("".join(lines))
    process = start("prepare", source, made)
    state = tmp_path / "made.part/state.npz"
    while not state.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not made.exists()
    process = start("prepare", source, made)
    assert process.wait() == 2
    assert b"Continue with --resume" in process.communicate()[1]
    process = start("prepare", source, made, "--resume")
    stderr = process.communicate()[1]
    assert process.returncode == 0, stderr
    texts = (made / "train_texts.txt").read_text()
    assert texts == "".join(line.partition(" ")[2] for line in lines)
    found = json.loads((made / "summary.json").read_text())
    assert found["train"]["documents"] == 50_000


def test_a_matrix_with_more_columns_than_names(prepare, tmp_path):
    source = tmp_path / "source"
    (source / "X.trn.txt").write_text("sea\n")
    (source / "output-items.txt").write_text("blue\n")
    scipy.sparse.save_npz(source / "Y.trn.npz", scipy.sparse.csr_matrix([[0, 1.0]]))
    fails(prepare(), "Y.trn.npz: Expected a name for each of 2 labels", tmp_path)
