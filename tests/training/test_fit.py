import collections
import itertools
import json
import lzma
import os
import shutil
import signal
import time

import numpy as np
import pytest

from tests.helpers.fit_runs import METRICS, Killed, history, metrics
from tests.helpers.lock_holder import another_process_writes
from tests.helpers.programs import start
from tests.helpers.project import PROJECT
from xmc_keras.config.config_file import load_config
from xmc_keras.data.documents import read_documents
from xmc_keras.data.splits import validation_split
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.training.fit import fit


def assert_same_result(folder, other):
    """Losses and metrics of every epoch, and the metrics of the test part."""
    rows, others = history(folder), history(other)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    for row, other_row in zip(rows, others, strict=True):
        assert row == pytest.approx(other_row, rel=1e-4, abs=1e-4)
    ours, theirs = metrics(folder), metrics(other)
    for key in [*METRICS, "recall@10"]:
        assert ours[key] == pytest.approx(theirs[key], abs=1e-4)


def test_a_run_folder_holds_what_it_should(tiny_run, tiny_config, tiny_data):
    folder = tiny_run.folder
    files = {path.name for path in folder.iterdir()}
    assert files == {
        "averaged.keras",
        "best.keras",
        "clusters.npy",
        "config.yaml",
        "curves.png",
        "digests.json",
        "history.csv",
        "label_counts.npz",
        "label_names.txt",
        "metrics.json",
        "tensorboard",
    }
    assert {path.name for path in folder.parent.iterdir()} == {"tiny", "cache"}
    assert load_config(folder / "config.yaml") == load_config(tiny_config)
    assert "\nweight_decay: 0.01\n" in (folder / "config.yaml").read_text()
    names = LabelSet.load(folder / "label_names.txt").names
    assert names == [f"label{i:02d}" for i in range(20)]
    clusters = np.load(folder / "clusters.npy")
    assert clusters.shape == (4, 5)
    assert sorted(clusters.ravel()) == list(range(20))
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    parts = {path.parent.name for path in folder.rglob("events.out.tfevents.*")}
    assert parts == {"train", "validation"}
    rows = history(folder)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert rows[-1]["loss"] < rows[0]["loss"]
    lines = (tiny_data / "train_labels.txt").read_text().split("\n")
    counts, num_documents = RunFolder(folder).label_counts()
    assert num_documents == 160
    assert counts.tolist() == [sum(n in li.split() for li in lines) for n in names]


def test_metrics_and_what_was_learnt(tiny_run):
    found = metrics(tiny_run.folder)
    popular = found["baselines"]["most popular labels"]
    assert set(METRICS) <= set(found)
    assert list(popular) == [*METRICS, "F1@5"]
    assert list(found["baselines"]["nearest label by TF-IDF"]) == list(popular)
    assert found["P@1"] > popular["P@1"] + 10
    assert found["P@5"] > popular["P@5"] + 5
    assert 50 < found["recall@10"] <= 100
    assert (found["propensity_a"], found["propensity_b"]) == (0.55, 1.5)
    counts = ["documents", "labels", "train_documents", "validation_documents"]
    assert [found[key] for key in counts] == [60, 20, 130, 30]
    assert found["skipped_lines"] == 0
    assert 0 < found["train_seconds"] < found["seconds"]
    assert 0.1 < found["peak_memory_gb"] < 100


def test_progress_of_a_run_in_a_file(tiny_run):
    lines = tiny_run.stdout.splitlines()
    begins = [i for i, line in enumerate(lines) if line.startswith("Epoch ")]
    assert lines[begins[0]] == "Epoch 1 of 3"
    for begin, epoch in zip(begins[1:], (2, 3), strict=True):
        assert lines[begin].startswith(f"Epoch {epoch} of 3, about ")
        assert lines[begin].endswith(" left")
    assert np.diff([*begins, len(lines) - 4]).max() <= 12
    assert "17, " in lines[1] and " left: cluster_loss " in lines[1]
    assert lines[begins[1] - 1].startswith("  cluster_loss ")
    assert "val_precision_at_1 " in lines[begins[1] - 1]
    *_, head, ours, popular, nearest = lines
    assert head.split() == METRICS[:9]
    assert ours.split()[0] == "LightXML"
    assert float(ours.split()[1]) == pytest.approx(
        metrics(tiny_run.folder)["P@1"], 0.01
    )
    assert "\b" not in tiny_run.stdout and "\x1b" not in tiny_run.stdout
    assert "Traceback" not in tiny_run.stderr and "Warning" not in tiny_run.stderr


def die(*arguments):
    raise Killed


@pytest.mark.large
def test_killed_within_an_epoch_and_before_evaluation(
    tiny_run, tiny_config, tmp_path, call, monkeypatch
):
    folder = tmp_path / "killed"
    # A checkpoint every step, in an otherwise equal run.
    arguments = [tiny_config, "--run", folder, "--set", "checkpoint_minutes=0.00001"]
    process = start("fit", *arguments)
    progress = {"step": 0}
    while progress["step"] < 3 and process.poll() is None:
        time.sleep(0.02)
        try:
            progress = json.loads((folder / "checkpoint/progress.json").read_text())
        except FileNotFoundError:
            pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert progress["epoch"] == 0 and not (folder / "history.csv").exists()
    for name in ("best.part.keras", "shortlist.npy.part"):
        (folder / name).write_bytes(b"half")
    with monkeypatch.context() as patch:
        # Now without the many checkpoints, and killed when all is trained.
        patch.setattr(
            "xmc_keras.training.loops.train_stage.RunCheckpoint",
            lambda p, _, s: RunCheckpoint(p, 10, s),
        )
        patch.setattr("xmc_keras.training.loops.train_lightxml.plot_curves", die)
        with pytest.raises(Killed):
            call("fit", *arguments, "--resume")
    (folder / "averaged.keras").unlink()
    result = call("fit", *arguments, "--resume")
    assert result.status == 0 and "Epoch" not in result.stdout
    assert_same_result(folder, tiny_run.folder)
    files = {path.name for path in folder.iterdir()}
    assert files == {path.name for path in tiny_run.folder.iterdir()}
    assert metrics(folder)["train_seconds"] > progress["seconds"]
    ours, theirs = (
        RunFolder(path).load_model("averaged").get_weights()
        for path in (folder, tiny_run.folder)
    )
    for weight, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-3, atol=1e-4)


def test_heads_start_where_the_config_says(tiny_config, tmp_path, call, monkeypatch):
    rows = {}

    def look(model, *arguments, **keywords):
        rows[where] = model.ranker.label_embeddings.numpy()
        raise Killed

    monkeypatch.setattr("xmc_keras.training.loops.train_lightxml.LightXML.fit", look)
    for where in ("centroids", "random"):
        run = ["--run", tmp_path / where, "--set", f"head_start={where}"]
        with pytest.raises(Killed):
            call("fit", tiny_config, *run)
    lengths = {name: np.linalg.norm(found, axis=1) for name, found in rows.items()}
    # All labels have documents, and each place of the clusters holds a label.
    assert np.ptp(lengths["centroids"]) < 1e-3 < np.ptp(lengths["random"])


@pytest.mark.large
def test_killed_between_epochs(tiny_run, tiny_config, tmp_path, call, monkeypatch):
    folder, save = tmp_path / "killed", RunCheckpoint.save

    def save_and_die(checkpoint):
        save(checkpoint)
        raise Killed

    for epoch, flags in enumerate(([], ["--resume"])):
        with monkeypatch.context() as patch:
            patch.setattr(RunCheckpoint, "save", save_and_die)
            with pytest.raises(Killed):
                call("fit", tiny_config, "--run", folder, *flags)
        assert [row["epoch"] for row in history(folder)] == [*range(epoch + 1)]
    result = call("fit", tiny_config, "--run", folder, "--resume")
    assert "Epoch 2 of 3" not in result.stdout and "Epoch 3 of 3" in result.stdout
    assert_same_result(folder, tiny_run.folder)


def test_a_finished_run_is_not_trained_again(tiny_run, tiny_config, call, caplog):
    before = {path: path.stat().st_mtime_ns for path in tiny_run.folder.rglob("*")}
    arguments = [tiny_config, "--run", tiny_run.folder, "--resume"]
    with caplog.at_level("INFO"):
        result = call("fit", *arguments, tensorflow=False)
    assert (result.status, result.stdout) == (0, "")
    assert "finished" in caplog.text
    after = {path: path.stat().st_mtime_ns for path in tiny_run.folder.rglob("*")}
    assert after == before


@pytest.mark.large
def test_one_label_a_cluster_and_labels_never_seen(
    tiny_run, tiny_config, tmp_path, call
):
    # Real documents, so few that training has not seen all labels of the others.
    data, folder = tmp_path / "data", tmp_path / "earlier"
    data.mkdir()
    for part, num_documents in (("train", 120), ("test", 40)):
        for kind in ("texts", "labels"):
            with lzma.open(PROJECT / f"data/debian24k/{part}_{kind}.txt.xz") as file:
                lines = b"".join(itertools.islice(file, num_documents))
            (data / f"{part}_{kind}.txt").write_bytes(lines)
    # The label that most documents have, but one in two is not to be asked for it.
    lines = (data / "train_labels.txt").read_text().splitlines()
    rest, _ = validation_split(120, 30, seed=0)
    counts = collections.Counter(n for i in rest for n in lines[i].split())
    popular = sorted(sorted(counts), key=counts.get, reverse=True)
    lines = [popular[0] if i % 2 else "" for i in range(40)]
    (data / "test_filter.txt").write_text("\n".join(lines) + "\n")
    shutil.copytree(tiny_run.folder, folder)
    settings = [f"data={data}", "max_leaf=1", "num_feature_layers=1", "epochs=1"]
    settings += ["swa_start=null", "num_predictions=20"]
    # As in the recipes of the paper.
    settings += ["optimizer=adamw", "schedule=constant", "warmup=0"]
    settings += ["head_learning_rate=null", "loss_reduction=mean"]
    settings += ["fixed_padding=true", "precision=mixed_float16"]
    arguments = [argument for pair in settings for argument in ("--set", pair)]
    arguments += ["--run", folder, "--overwrite"]
    result = call("fit", tiny_config, *arguments)
    assert result.status == 0, result.stderr
    model = RunFolder(folder).load_model()
    assert model.ranker is None and model.encoder.num_feature_layers == 1
    num_labels = len(RunFolder(folder).label_set())
    assert num_labels > 100
    assert np.load(folder / "clusters.npy").tolist() == [[i] for i in range(num_labels)]
    names, scores = zip(*model.recommend(["a text editor"], k=20)[0])
    assert len(set(names)) == 20 and scores[0] >= scores[19] > 0
    assert not (folder / "averaged.keras").exists()
    found = metrics(folder)
    assert len(history(folder)) == 1 and found["documents"] == 40
    # The labels never seen count against every system.
    nearest = found["baselines"]["nearest label by TF-IDF"]
    assert 0 < nearest["nDCG@5"] < 100 and found["recall@10"] < 100
    # Where a label is left out, the next one takes its place.
    wanted = (data / "test_labels.txt").read_text().splitlines()
    best = [set(popular[i % 2 : i % 2 + 5]) for i in range(40)]
    hits = [
        len(labels & set(row.split()) - set(out.split()))
        for labels, row, out in zip(best, wanted, lines, strict=True)
    ]
    baseline = found["baselines"]["most popular labels"]
    assert baseline["P@5"] == pytest.approx(100 * sum(hits) / 40 / 5)
    assert found["filtered_pairs"] == 20
    again = json.loads(call("evaluate", folder, "--json").stdout)
    for key in METRICS:
        assert again[key] == pytest.approx(found[key], abs=1e-4)


def test_a_loss_that_is_no_number_ends_the_run(tiny_config, tmp_path, call):
    folder = tmp_path / "diverging"
    rates = ["--set", "learning_rate=1e20", "--set", "head_learning_rate=1e20"]
    result = call("fit", tiny_config, "--run", folder, *rates)
    assert result.status == 2
    expected = f"error: {tiny_config}: Expected training to converge. Received: "
    assert result.stderr.startswith(expected)
    assert "learning_rate" in result.stderr and "nan in epoch 1" in result.stderr
    assert not list(folder.glob("*.keras")) and not (folder / "metrics.json").exists()


def test_a_run_that_another_process_writes(tiny_run, tiny_config, tmp_path):
    config, run = load_config(tiny_config), tmp_path / "run"
    shutil.copytree(tiny_run.folder, run)
    train = read_documents(config.data, "train")
    with another_process_writes(run) as process:
        for flags in ({}, {"resume": True}, {"overwrite": True}):
            with pytest.raises(BadInput, match=f"process {process.pid} on "):
                fit(config, train, run=run, **flags)
    with RunFolder(run).lock, pytest.raises(BadInput, match=f"ess {os.getpid()} on "):
        fit(config, train, run=run, resume=True)
    owner = RunFolder(run)
    with owner.lock:  # as the command calls it
        assert len(fit(config, train, run=owner, resume=True).history) == 3
        assert owner.lock.held
