"""What a folder holds, by the files that programs write."""

import pytest

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.describe_folder import (
    check_file_for,
    check_folder_for,
    describe_folder,
)

RUN = ["config.yaml", "label_names.txt", "label_counts.npz", "best.keras"]
DATA = ["train_texts.txt", "train_labels.txt", "test_texts.txt", "summary.json"]


def make(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize(
    ("names", "held"),
    [
        ([], None),
        ([".x.lock", ".tmp-1-ab/saved_model.pb"], None),
        (RUN, "a run"),
        (DATA, "a data set"),
        (["trn.json.gz", "lbl.json.gz"], "a data set"),
        (["X.trn.txt", "Y.trn.npz"], "a data set"),
        (["train_raw_texts.txt.xz"], "a data set"),
        (["train.parquet"], "a data set"),
        (["1/saved_model.pb", "README"], "an export"),
        (["saved_model.pb", "variables/x"], "an export"),
        (["a/config.yaml", "a/label_names.txt"], "other files"),  # a folder of runs
        (["metrics.json"], "other files"),  # an ensemble
        (["test_notes.txt", "tests.py", "training.md"], "other files"),
        (["config.yaml"], "other files"),
    ],
)
def test_describe_folder(tmp_path, names, held):
    (tmp_path / "x").mkdir()
    assert describe_folder(make(tmp_path / "x", names)) == held
    if held in (None, "other files"):
        check_folder_for(tmp_path / "x", "a report", "output")
    else:
        with pytest.raises(BadInput, match=f"Received: the folder of {held}. Choose"):
            check_folder_for(tmp_path / "x", "a report", "output")


def test_files_that_are_not_to_be_replaced(tmp_path):
    run, data = make(tmp_path / "run", RUN), make(tmp_path / "data", DATA)
    version = make(tmp_path / "e/1", ["saved_model.pb"])
    make(run, ["metrics.json", "found.jsonl", "report.html"])
    make(data, ["found.jsonl"])
    for path in (
        *(run / name for name in ("best.keras", "metrics.json", "label_names.txt")),
        *(data / name for name in DATA),
        version / "saved_model.pb",
    ):
        with pytest.raises(BadInput, match="Received: a file of a"):
            check_file_for(path, "output")
    for path in (
        *(run / name for name in ("found.jsonl", "report.html", "new.json")),
        *(data / name for name in ("found.jsonl", "train_filter.txt")),  # not there
        make(tmp_path / "ensemble", ["metrics.json"]) / "metrics.json",
    ):
        check_file_for(path, "output")
