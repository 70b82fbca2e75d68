import csv
import json
import types

import numpy as np
import pytest

from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_folder import RunFolder

SETTINGS = ["--set", "negatives=static", "--set", "recall_epochs=1"]


def epochs(folder):
    with open(folder / "history.csv", newline="") as file:
        return [row["epoch"] for row in csv.DictReader(file)]


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


class Killed(BaseException):
    pass


def test_each_document_keeps_the_clusters_found_by_the_generator(
    tiny_config, tmp_path, call, monkeypatch
):
    folder, stages = tmp_path / "static", []

    def stage(
        config,
        model,
        batches,
        validation,
        run,
        callbacks,
        progress,
        *start,
        trained_heads,
    ):
        """Instead of training: generator and encoder stay as they are."""
        assert not trained_heads
        stages.append((model.name, run.path, config.epochs, *start))
        if model.ranker is None:
            assert config.swa_start is None and batches.negatives is None
            checkpoint = types.SimpleNamespace(remove=lambda: None, seconds=12.5)
            return None, checkpoint, None
        assert batches.shuffle and batches.negatives.shape == (130, 2)
        for x, _ in list(batches.batches())[:5]:
            features = model.encoder(x, training=False)
            logits = np.array(model.generator(features)[0])
            assert np.array_equal(x["cluster_ids"], np.argsort(-logits)[:, :2])
        raise Killed

    monkeypatch.setattr("xmc_keras.training.loops.train_lightxml.train_stage", stage)
    for flags in ([], ["--resume"]):
        with pytest.raises(Killed):
            call("fit", tiny_config, "--run", folder, *SETTINGS, *flags)
    # What has been found is not found again.
    assert stages == [
        ("recall", folder / "recall", 1),
        ("lightxml", folder, 3, 1, 12.5),
        ("lightxml", folder, 3, 1, 0.0),
    ]


def test_the_generator_does_not_start_again_with_the_ranker(
    tiny_config, tmp_path, call, monkeypatch
):
    started = []

    def plot(run):
        if run.path.name != "recall":
            raise Killed

    monkeypatch.setattr(
        "xmc_keras.training.loops.train_stage.start_from_centroids",
        lambda model, batches, generator: started.append((model.name, generator)),
    )
    monkeypatch.setattr(
        "xmc_keras.training.loops.train_lightxml.LightXML.fit", lambda *a, **k: None
    )
    monkeypatch.setattr("xmc_keras.training.loops.train_lightxml.plot_curves", plot)
    start = ["--set", "head_start=centroids"]
    with pytest.raises(Killed):
        call("fit", tiny_config, "--run", tmp_path / "run", *SETTINGS, *start)
    assert started == [("recall", True), ("lightxml", False)]


@pytest.mark.large
def test_killed_in_either_stage_and_continued(tiny_config, tmp_path, call):
    save = RunCheckpoint.save

    def save_and_die(checkpoint):
        save(checkpoint)
        raise Killed

    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    result = call("fit", tiny_config, "--run", unbroken, *SETTINGS)
    lines = [line for line in result.stdout.splitlines() if line.startswith("Epoch ")]
    assert lines[:2] == ["Epoch 1 of 1", "Epoch 2 of 3"] and len(lines) == 3
    assert epochs(unbroken / "recall") == ["0"] and epochs(unbroken) == ["1", "2"]
    assert not list(unbroken.rglob("checkpoint*"))
    assert RunFolder(unbroken).load_model().ranker is not None
    popular = metrics(unbroken)["baselines"]["most popular labels"]
    assert metrics(unbroken)["P@1"] > popular["P@1"] + 10

    arguments = [tiny_config, "--run", killed, *SETTINGS]
    for flags in ([], ["--resume"]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RunCheckpoint, "save", save_and_die)
            with pytest.raises(Killed):
                call("fit", *arguments, *flags)
    assert call("fit", *arguments, "--resume").status == 0
    ours, theirs = metrics(killed), metrics(unbroken)
    for key in ("P@1", "P@5", "PSP@5", "recall@10"):
        assert ours[key] == pytest.approx(theirs[key], abs=1e-4)
    assert ours["train_seconds"] > 0
