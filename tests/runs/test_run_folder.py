import contextlib
import dataclasses
import os
import shutil

import numpy as np
import pytest

from tests.helpers.damaged import as_an_owner
from xmc_keras.config.config import Config
from xmc_keras.data.documents import Documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.runs.run_folder import RunFolder

CONFIG = Config(data="texts", encoder="minilm", swa_start=1)
DOCUMENTS = Documents(
    ["red rose", "blue sky", "sea"],
    [["plant", "warm"], ["cold"], ["cold"]],
    [1, 2, 3],
    "texts/train_texts.txt",
    "texts/train_labels.txt",
)
CLUSTERS = np.array([[0, 2], [1, -1]], np.int32)


def begin(path, config=CONFIG, documents=DOCUMENTS):
    run = RunFolder(path)
    label_set = LabelSet.from_labels(documents.labels)
    run.begin(config, label_set, CLUSTERS, documents)
    return run


def files(folder):
    return {path.name for path in folder.iterdir()}


def test_what_a_run_begins_with(tmp_path):
    run = begin(tmp_path / "runs" / "new")
    names = {"config.yaml", "label_names.txt", "clusters.npy", "label_counts.npz"}
    names |= {"digests.json"}
    assert files(run.path) == names
    assert files(tmp_path / "runs") == {"new"}
    assert run.config() == CONFIG
    assert run.label_set().names == ["cold", "plant", "warm"]
    assert np.array_equal(run.clusters(), CLUSTERS)
    assert run.clusters().dtype == np.int32
    counts, num_documents = run.label_counts()
    assert (counts.tolist(), num_documents) == ([2, 1, 1], 3)
    assert not run.finished
    run.save_metrics({"P@1": 50.0})
    assert run.finished
    assert files(run.path) == names | {"metrics.json"}


def test_begin_replaces_an_earlier_run(tmp_path):
    run = begin(tmp_path / "run")
    run.save_metrics({})
    (run.path / "tensorboard").mkdir()
    # Left by a program that was killed while it replaced the run.
    for suffix in ("part", "old"):
        (tmp_path / f"run.{suffix}").mkdir()
        (tmp_path / f"run.{suffix}" / "file").touch()
    run = begin(tmp_path / "run", Config(data="texts", encoder="minilm", epochs=7))
    assert run.config().epochs == 7 and not run.finished
    assert files(tmp_path) == {"run"} and "tensorboard" not in files(run.path)


def test_a_link_to_a_folder(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to("disk", target_is_directory=True)
    begin(tmp_path / "run")
    RunFolder(tmp_path / "run").check(CONFIG, overwrite=True)
    run = begin(tmp_path / "run")
    assert (tmp_path / "run").is_symlink() and run.config() == CONFIG


def test_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    # It is replaced by the run, and the program would stand in a deleted folder.
    with pytest.raises(BadInput, match=r"^\.: Expected a place for a run.*of its own"):
        RunFolder(".").check(CONFIG)
    begin(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    assert RunFolder(".").config() == CONFIG


def test_begin_where_nothing_can_be_written(tmp_path, monkeypatch):
    def full(path, **arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(BadInput, match="new: Expected to write .* No space left"):
        begin(tmp_path / "new")
    assert files(tmp_path) == set()


def test_check_of_places_where_there_is_no_run(tmp_path):
    RunFolder(tmp_path / "new").check(CONFIG)
    RunFolder(tmp_path / "new/and/deeper").check(CONFIG, resume=True)
    (tmp_path / "empty").mkdir()
    RunFolder(tmp_path / "empty").check(CONFIG)
    assert files(tmp_path) == {"empty"}
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="file: Expected a folder. Received: a file."):
        RunFolder(tmp_path / "file").check(CONFIG, overwrite=True)
    with pytest.raises(BadInput, match="Expected a place for a run. Received: Not a"):
        RunFolder(tmp_path / "file" / "run").check(CONFIG)
    with pytest.raises(BadInput, match="Received: File name too long"):
        RunFolder(tmp_path / ("n" * 300)).check(CONFIG)
    shutil.copytree(tmp_path / "empty", tmp_path / "other")
    (tmp_path / "other" / "thesis.tex").touch()
    for flags in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(BadInput, match="other: .* another folder"):
            RunFolder(tmp_path / "other").check(CONFIG, **flags)


def test_check_where_nothing_may_be_written(tmp_path):
    tmp_path.chmod(0o555)
    with (
        as_an_owner(),
        pytest.raises(BadInput, match="Received: Permission denied. Choose another"),
    ):
        RunFolder(tmp_path / "new").check(CONFIG)


def test_check_of_an_earlier_run(tmp_path):
    run = begin(tmp_path / "run")
    with pytest.raises(BadInput, match="run: .*resume=True.*overwrite=True.*`run`"):
        run.check(CONFIG)
    run.check(CONFIG, overwrite=True)
    run.check(CONFIG, resume=True)
    other = Config(data="texts", encoder="minilm", swa_start=None, epochs=4)
    run.check(other, overwrite=True)
    with pytest.raises(BadInput) as error:
        run.check(other, resume=True)
    assert str(error.value).startswith(f"{run.config_path}: ")
    assert "epochs was 3, is 4; swa_start was 1, is null" in str(error.value)
    run.config_path.write_text("epochs: [")
    run.check(other, overwrite=True)
    with pytest.raises(BadInput, match="config.yaml: Expected the file as it was"):
        run.check(other, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        {"texts": ["red rose", "blue sky", "seas"]},
        {"texts": ["red roseblue", " sky", "sea"]},
        {"texts": ["blue sky", "red rose", "sea"]},
        {"labels": [["plant", "warm"], ["warm"], ["cold"]]},
        {"labels": [["plant"], ["warm", "cold"], ["cold"]]},
        {"labels": [["plant", "warm"], ["cold"], ["cold", "cold"]]},
        {"texts": ["red rose", "blue sky"], "labels": [["plant", "warm"], ["cold"]]},
    ],
)
def test_check_of_the_data(tmp_path, change):
    run = begin(tmp_path / "run")
    run.check_data(DOCUMENTS)
    lines = [*range(len(change.get("texts", [1] * 3)))]
    other = Documents(**{**vars(DOCUMENTS), "lines": lines, **change})
    with pytest.raises(BadInput, match="^texts/train_texts.txt: Expected the training"):
        run.check_data(other)


def test_reading_where_there_is_no_run(tmp_path):
    run = RunFolder(tmp_path / "none")
    with pytest.raises(BadInput, match="none: .*with config.yaml in it. .*`fit`"):
        run.config()
    with pytest.raises(BadInput, match="none: Expected best.keras. Received: no model"):
        run.load_model()
    with pytest.raises(BadInput, match="none: Expected averaged.keras. .*resume=True"):
        run.load_model("averaged")


@pytest.mark.parametrize("content", [None, b"", b"nonsense", "half"])
def test_reading_damaged_arrays(tmp_path, content):
    run = begin(tmp_path / "run")
    for path, read in (
        (run.clusters_path, run.clusters),
        (run.label_counts_path, run.label_counts),
        (run.label_counts_path, lambda: run.check_data(DOCUMENTS)),
    ):
        whole = path.read_bytes()
        damaged = whole[: len(whole) // 2] if content == "half" else content
        path.unlink() if content is None else path.write_bytes(damaged)
        with pytest.raises(BadInput, match=f"{path.name}: Expected an array of the"):
            read()
        path.write_bytes(whole)
        read()


def test_models_that_cannot_be_read(tmp_path):
    run = begin(tmp_path / "run")
    (run.path / "best.keras").write_bytes(b"nonsense")
    with pytest.raises(BadInput, match="best.keras: Expected a saved model. "):
        run.load_model()


def test_what_a_killed_run_was_writing(tmp_path):
    run = begin(tmp_path / "run")
    before = files(run.path)
    for name in ("history.csv.part", "shortlist-0.npy.part", "best.part.keras"):
        (run.path / name).write_bytes(b"half")
    (run.path / "checkpoint.part").mkdir()
    run.remove_half_written()
    assert files(run.path) == before | {"checkpoint.part"}


def test_models_are_saved_whole_without_the_optimizer(tmp_path):
    import keras

    run = begin(tmp_path / "run")
    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    optimizer = model.optimizer
    x = np.ones([4, 3])
    model.fit(x, x[:, :2], verbose=0)
    run.save_model(model, "averaged")
    assert model.optimizer is optimizer
    with pytest.raises(BadInput, match="best.keras. Received: only averaged.keras."):
        run.load_model()
    loaded = run.load_model("averaged")
    assert getattr(loaded, "optimizer", None) is None
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0)
    )
    model.fit(x, x[:, :2], verbose=0)
    run.save_model(model, "best")
    assert files(run.path) > {"averaged.keras", "best.keras"}
    assert not list(run.path.glob("*.part*"))
    np.testing.assert_array_equal(
        run.load_model().predict(x, verbose=0), model.predict(x, verbose=0)
    )
    averaged = run.load_model("averaged").predict(x, verbose=0)
    np.testing.assert_array_equal(averaged, loaded.predict(x, verbose=0))


@pytest.fixture
def project(tmp_path):
    """A project with data and a run, whose config has a relative path."""
    data = tmp_path / "project/data/mine"
    data.mkdir(parents=True)
    (data / "train_texts.txt").write_text("a rose\n")
    return tmp_path / "project"


def begin_in(project, run, data="data/mine"):
    with contextlib.chdir(project):
        return begin(run, dataclasses.replace(CONFIG, data=str(data)))


def test_the_data_is_found_from_any_folder(project, tmp_path, monkeypatch):
    begin_in(project, "runs/x")
    begin_in(project, tmp_path / "elsewhere/y")
    # Another project, whose data has the same name.
    (tmp_path / "other/data/mine").mkdir(parents=True)
    for where in (project, tmp_path / "other", "/"):
        monkeypatch.chdir(where)
        for run in (project / "runs/x", tmp_path / "elsewhere/y"):
            for name in (run, os.path.relpath(run)):
                assert RunFolder(name).data_folder().samefile(project / "data/mine")
    assert RunFolder(run).data_folder(tmp_path / "other").samefile(tmp_path / "other")
    with pytest.raises(BadInput, match="nowhere: Expected a folder of data"):
        RunFolder(run).data_folder("nowhere")


@pytest.mark.parametrize("absolute", [False, True])
def test_the_data_of_a_project_that_was_moved(project, tmp_path, absolute):
    data = project / "data/mine" if absolute else "data/mine"
    begin_in(project, "runs/deep/x", data)
    moved = project.rename(tmp_path / "moved")
    run = RunFolder(moved / "runs/deep/x")
    assert run.data_folder() == moved / "data/mine"
    run.path.rename(tmp_path / "x")
    with pytest.raises(BadInput) as error:
        RunFolder(tmp_path / "x").data_folder()
    text = str(error.value)
    assert text.startswith(f"{tmp_path / 'x'}: Expected the data of this run. Received")
    assert str(project / "data/mine") in text  # one of the places that were tried
    assert text.endswith("Say where it is with `data`.")


def test_a_copied_project_has_data_of_its_own(project, tmp_path):
    begin_in(project, "runs/x")
    copy = shutil.copytree(project, tmp_path / "copy")
    assert RunFolder(copy / "runs/x").data_folder() == copy / "data/mine"
    # A run that was moved to a project with other data by this name.
    (copy / "data/mine/train_texts.txt").write_text("another rose\n")
    assert RunFolder(copy / "runs/x").data_folder() == project / "data/mine"


def test_the_data_of_a_run_by_version_0_1_0(project, monkeypatch):
    run = begin_in(project, "runs/x")
    path = project / run.label_counts_path
    with np.load(path) as arrays:
        old = {name: arrays[name] for name in arrays if name != "data"}
    np.savez(path, **old)
    (path.parent / "digests.json").unlink()
    for where in (project, "/"):
        monkeypatch.chdir(where)
        assert RunFolder(project / "runs/x").data_folder() == project / "data/mine"


def test_the_data_that_an_edited_config_names(project, tmp_path):
    run = begin_in(project, project / "runs/x")
    (tmp_path / "new").mkdir()
    text = run.config_path.read_text().replace("data/mine", str(tmp_path / "new"))
    run.config_path.write_text(text)
    (run.path / "digests.json").unlink()
    assert run.data_folder() == tmp_path / "new"


def test_a_run_on_documents_in_memory_has_no_data(tmp_path):
    run = begin(tmp_path / "x", dataclasses.replace(CONFIG, data=None))
    with pytest.raises(BadInput, match="one on documents in memory. Say where"):
        run.data_folder()
    assert run.data_folder(tmp_path) == tmp_path


def test_a_run_whose_data_was_moved_is_continued(tmp_path):
    run = begin(tmp_path / "x")
    run.check(dataclasses.replace(CONFIG, data="moved"), resume=True)


def test_a_run_killed_when_it_was_finished(tmp_path):
    run = begin(tmp_path / "run")
    before = files(run.path)
    for name in ("checkpoint", "checkpoint.old", "checkpoint.part"):
        (run.path / name).mkdir()
        (run.path / name / "state.npz").write_bytes(b"state")
    run.remove_checkpoint()
    assert files(run.path) == before
