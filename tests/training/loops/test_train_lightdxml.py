import gc
import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.fit_runs import METRICS, Killed, history, metrics
from tests.helpers.tiny_data import write_words_recipe
from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_folder import RunFolder


@pytest.fixture(scope="module")
def words_config(tmp_path_factory, tiny_data):
    """Path of a LightDXML config that learns the tiny data in seconds."""
    return write_words_recipe(
        tmp_path_factory.mktemp("configs"),
        tiny_data,
        feature_dropout=0.1,
        epochs=5,
        learning_rate=0.03,
        head_learning_rate=None,
        schedule="halving",
        halve_at=[3, 4],
        warmup=0,
        weight_decay=0,
        label_words=6,
        proxy_dim=24,
        proxy_batch_size=8,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory, words_config):
    """Folder of a run that was never interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "words"
    return folder, words_config


def run_fit(call, finished):
    folder, config = finished
    if not (folder / "metrics.json").exists():
        result = call("fit", config, "--run", folder)
        assert result.status == 0, result.stderr
        (folder / "stdout").write_text(result.stdout)
    return folder


def test_a_run_of_words(finished, call):
    folder = run_fit(call, finished)
    files = {path.name for path in folder.iterdir()} - {"stdout"}
    assert files == {
        "best.keras",
        "digests.json",
        "config.yaml",
        "curves.png",
        "history.csv",
        "label_counts.npz",
        "label_names.txt",
        "metrics.json",
    }
    found = metrics(folder)
    assert set(METRICS) <= set(found)
    popular = found["baselines"]["most popular labels"]
    assert found["P@1"] > popular["P@1"] + 10 and found["P@5"] > popular["P@5"] + 5
    assert "nearest label by TF-IDF" in found["baselines"]
    assert set(found["phase_seconds"]) == {
        "words",
        "label embeddings",
        "shortlists",
        "classifier epochs",
        "choice of beta",
    }
    by_beta = {float(beta): row for beta, row in found["validation_by_beta"].items()}
    sums = {beta: sum(row.values()) for beta, row in by_beta.items()}
    assert sums[min(sums, key=lambda b: abs(b - found["beta"]))] == max(sums.values())
    rows = history(folder)
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3, 4]
    assert rows[-1]["loss"] < rows[0]["loss"]
    stdout = (folder / "stdout").read_text()
    assert "Epoch 5 of 5" in stdout and stdout.splitlines()[-3].startswith("LightDXML")
    model = RunFolder(folder).load_model()
    assert float(model.beta) == pytest.approx(found["beta"])
    assert model.lexical.scale.numpy() != model.lexical.initial_scale
    assert (model.lexical.word_ids.numpy()[:, 0] >= 0).all()
    lengths = np.linalg.norm(model.nearest.label_embeddings.numpy(), axis=1)
    np.testing.assert_allclose(lengths, 1, 1e-4)


def test_the_other_programs(finished, call, tiny_data):
    folder = run_fit(call, finished)
    result = call("evaluate", folder, "--json")
    ours, theirs = json.loads(result.stdout), metrics(folder)
    for key in METRICS:
        assert ours[key] == pytest.approx(theirs[key], abs=1e-6)
    result = call("predict", folder, "-k", 3, "word0a word0b")
    answer = json.loads(result.stdout)
    assert answer["labels"][0] == "label00" and len(answer["labels"]) == 3
    assert 1 >= answer["scores"][0] >= answer["scores"][2] >= 0


@pytest.mark.large
def test_killed_in_each_phase(finished, call, tmp_path, monkeypatch):
    straight = run_fit(call, finished)
    folder, config = tmp_path / "killed", finished[1]
    arguments = ["fit", config, "--run", folder]
    save = RunCheckpoint.save

    def save_and_die(checkpoint):
        save(checkpoint)
        raise Killed

    def die(*arguments, **kwargs):
        raise Killed

    # Within the first shortlists, within a cycle, between two cycles, and before the
    # last embeddings; then to the end.
    kills = [
        ("xmc_keras.training.loops.train_lightdxml.shortlist_labels", die),
        (f"{RunCheckpoint.__module__}.RunCheckpoint.save", save_and_die),
        (f"{RunCheckpoint.__module__}.RunCheckpoint.save", save_and_die),
        ("xmc_keras.training.loops.train_lightdxml.choose_beta", die),
    ]
    for i, (name, replacement) in enumerate(kills):
        with monkeypatch.context() as patch:
            patch.setattr(name, replacement)
            with pytest.raises(Killed):
                call(*arguments, *(["--resume"] if i else []))
    assert call(*arguments, "--resume").status == 0
    for row, other in zip(history(folder), history(straight), strict=True):
        assert row == pytest.approx(other, rel=1e-3, abs=1e-3)
    for key in METRICS:
        assert metrics(folder)[key] == pytest.approx(metrics(straight)[key], abs=1e-3)
    for name in ("best_epoch", "validation", "validation_at_start"):
        assert metrics(folder)[name] == pytest.approx(metrics(straight)[name], abs=1e-3)
    files = {path.name for path in folder.iterdir()}
    assert files == {path.name for path in straight.iterdir()} - {"stdout"}
    # Deleted shortlists are closed, so that their disk space is free.
    gc.collect()
    assert f"{folder}/" not in Path("/proc/self/maps").read_text()


def test_a_shortlist_that_is_gone(finished, call, tmp_path, monkeypatch):
    folder, config = tmp_path / "killed", finished[1]
    save = RunCheckpoint.save

    def save_and_die(checkpoint):
        save(checkpoint)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(RunCheckpoint, "save", save_and_die)
        with pytest.raises(Killed):
            call("fit", config, "--run", folder)
    (folder / "shortlist-0.npy").write_bytes(b"")
    result = call("fit", config, "--run", folder, "--resume")
    assert result.status == 2
    assert "shortlist-0.npy" in result.stderr and "--overwrite" in result.stderr


@pytest.mark.large
def test_a_frozen_transformer_and_shared_negatives(
    finished, call, tmp_path, tiny_encoder
):
    folder, config = tmp_path / "subwords", finished[1]
    settings = [f"encoder={tiny_encoder}", "max_tokens=16", "num_feature_layers=2"]
    settings += ["freeze_encoder=true", "epochs=1", "refresh=1", "halve_at=[1]"]
    settings += ["shared_negatives=true", "random_negatives=5", "beta=0.5"]
    settings += ["candidates_from=classifier", "proxy_epochs=0", "search=exact"]
    settings += ["label_words=0"]
    arguments = [argument for pair in settings for argument in ("--set", pair)]
    result = call("fit", config, "--run", folder, *arguments)
    assert result.status == 0, result.stderr
    found = metrics(folder)
    assert found["P@1"] > 0 and "beta" not in found
    model = RunFolder(folder).load_model()
    assert float(model.beta) == 0.5
    assert len(model.recommend(["word1a"], k=4)[0]) == 4
    assert call("evaluate", folder).status == 0


def test_after_the_epochs(finished, call, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "xmc_keras.lightdxml.scores.choose_beta.__defaults__", ((0.8,),)
    )
    folder, config = tmp_path / "after", finished[1]
    settings = ("epochs=1", "halve_at=[1]", "initial_probability=0.5")
    settings += ("shared_negatives=true", "random_negatives=4", "logq_correction=0.5")
    settings += ("learning_rate=1e-9",)  # the correction alone moves the bias
    arguments = [argument for pair in settings for argument in ("--set", pair)]
    result = call("fit", config, "--run", folder, *arguments)
    assert result.status == 0, result.stderr
    assert metrics(folder)["beta"] == pytest.approx(0.8)
    assert list(metrics(folder)["validation_by_beta"]) == ["0.8"]
    run = RunFolder(folder)
    biases = run.load_model().classifier.label_bias.numpy()
    counts, _ = run.label_counts()
    assert -4 < biases.min() < biases.max() < 0
    assert np.corrcoef(biases, np.log(counts))[0, 1] > 0.8  # counts of all documents
