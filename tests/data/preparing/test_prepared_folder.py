import numpy as np
import pytest

from tests.helpers.fit_runs import Killed
from xmc_keras.cli.data.prepare import format_summary
from xmc_keras.data.formats.document import Document
from xmc_keras.data.preparing.data_summary import summarize_data
from xmc_keras.data.preparing.labels_fit_texts import measure_label_fit
from xmc_keras.data.preparing.prepared_folder import PreparedFolder
from xmc_keras.data.preparing.written_labels import WrittenLabels
from xmc_keras.files.bad_input import BadInput


def some(count, seed=0):
    return [
        Document(f"text {i * 7919 % 977} of {seed}", [f"label {i % 13}", f"l{i}"], i)
        for i in range(count)
    ]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_stop_anywhere_gives_the_same_bytes(tmp_path):
    documents = some(40)
    whole = PreparedFolder(tmp_path / "whole", {"a": 1})
    whole.add("train", documents)
    whole.keep()
    hashes, counts = whole.hashes("train"), whole.label_counts()["train"]
    whole.finish({"x": 2})
    expected = contents(tmp_path / "whole")
    assert set(expected) == {
        "train_texts.txt",
        "train_labels.txt",
        "renamed_labels.tsv",
        "summary.json",
        "digests.json",
    }
    for stop in (0, 7, 23, 40):
        path = tmp_path / f"made{stop}"
        folder = PreparedFolder(path, {"a": 1})
        for first in range(0, stop, 5):
            folder.add("train", documents[first : min(stop, first + 5)])
            if first % 10 == 0:
                folder.state["read"] = min(stop, first + 5)
                folder.keep()
        # As after a kill: the files also hold what was written after the last `keep`.
        folder._release()
        folder = PreparedFolder(path, {"a": 1}, resume=True)
        read = folder.state["read"]
        assert read <= stop and (read or stop == 0)
        folder.add("train", documents[read:])
        folder.keep()
        assert folder.hashes("train").tolist() == hashes.tolist()
        assert folder.label_counts()["train"].tolist() == counts.tolist()
        folder.finish({"x": 2})
        assert contents(path) == expected


@pytest.mark.parametrize("options", [{"resume": True}, {"overwrite": True}])
def test_nothing_is_kept_of_what_was_killed_when_it_was_finished(
    tmp_path, monkeypatch, options
):
    folder = PreparedFolder(tmp_path / "made", {"a": 1})
    folder.add("train", some(40))
    folder.keep()
    with monkeypatch.context() as patch:
        patch.setattr("xmc_keras.files.atomic_files.os.replace", kill)
        with pytest.raises(Killed):
            folder.finish({"x": 2})
    folder._release()
    assert (tmp_path / "made.part/renamed_labels.tsv").exists()
    # Another file, whose labels are written as they are.
    folder = PreparedFolder(tmp_path / "made", {"a": 2}, **options)
    folder.add("train", [Document("a text", ["label"], 1)])
    folder.keep()
    folder.finish({"x": 3})
    assert set(contents(tmp_path / "made")) == {
        "train_texts.txt",
        "train_labels.txt",
        "summary.json",
        "digests.json",
    }


def kill(*paths):
    raise Killed


def test_folders_that_cannot_be_resumed(tmp_path):
    path = tmp_path / "made"
    folder = PreparedFolder(path, {"a": 1})
    folder.add("train", some(3))
    folder.keep()
    with pytest.raises(BadInput, match="Expected a place that no other program"):
        PreparedFolder(path, {"a": 1}, resume=True)
    folder.close()
    with pytest.raises(BadInput, match="made.part: Expected no unfinished folder"):
        PreparedFolder(path, {"a": 1})
    with pytest.raises(
        BadInput, match="a was 1, is 2. Start over with .overwrite=True"
    ):
        PreparedFolder(path, {"a": 2}, resume=True)
    texts = tmp_path / "made.part/train_texts.txt"
    content = texts.read_bytes()
    texts.write_bytes(content[:-1])
    with pytest.raises(BadInput, match="Received: train_texts.txt of less than"):
        PreparedFolder(path, {"a": 1}, resume=True)
    (tmp_path / "made.part/state.npz").write_bytes(b"PK")
    with pytest.raises(BadInput, match="Received: a damaged state"):
        PreparedFolder(path, {"a": 1}, resume=True)
    folder = PreparedFolder(path, {"a": 1}, overwrite=True)
    folder.close()  # before the first `keep` there is nothing to resume
    assert list(tmp_path.iterdir()) == []


def test_too_few_documents_have_no_label_fit():
    assert measure_label_fit(["a b"] * 20, [["x"]] * 20) is None
    assert measure_label_fit(["a b"] * 60, [["x"]] * 60) == 0.0


def test_labels_that_become_one_when_written():
    labels = WrittenLabels()
    names = ["a b", "a_b", "a  b", "a_b~", "c"]
    assert [labels.add(name) for name in names] == [0, 1, 2, 3, 4]
    assert labels.written == ["a_b", "a_b~", "a_b~~", "a_b~~~", "c"]
    assert len(labels) == 5 and labels.names(3) == ["a_b~", "c"]
    assert [name for name, _ in labels.renamed()] == ["a_b", "a_b~", "a_b~~", "a_b~~~"]


def test_a_summary_of_one_part():
    parts = {"train": {"hashes": np.array([3, 3, 3]), "words": 9, "bad_lines": 2}}
    found = summarize_data(parts, {"train": np.array([6, 5, 0]), "test": np.zeros(3)})
    assert found["train"]["duplicates"] == 2 and found["train"]["labels"] == 2
    assert found["tail_labels"] == 0.5 and "test" not in found
    found |= {"label_names": {"most_frequent": {"a": 6}, "others": {}}, "warnings": []}
    assert "documents               3\n" in format_summary(found)
    assert format_summary(found).endswith("\nMost frequent: 'a' (6)")
