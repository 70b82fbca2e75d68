"""Commands on an ensemble of calibrated runs."""

import json

import numpy as np
import pytest

from tests.helpers.drawn_documents import write_drawn_data
from xmc_keras import Config, RunFolder, fit
from xmc_keras.data.splits import read_part
from xmc_keras.serving.server.load_version import load_version

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Two runs that hold the same documents back, which the second learns at last."""
    folder = tmp_path_factory.mktemp("ensemble")
    parts = write_drawn_data(folder / "data", test=150)
    return fit_runs(folder, parts)


def fit_runs(folder, parts):
    """Trains two runs on `folder / "data"`; returns their paths."""
    for name, seed, width in (("a", 0, 8), ("b", 1, 16)):
        config = Config(
            system="lightdxml",
            data=str(folder / "data"),
            encoder="words",
            embedding_dim=width,
            epochs=5,
            learning_rate=0.02,
            head_learning_rate=0.05,
            initial_probability=0.3,
            proxy_epochs=0,
            candidates_from="classifier",
            validation_documents=250,
            seed=seed,
            split_seed=0,
            label_words=8 * (name == "b"),
            linear=name == "b",
        )
        run = RunFolder(folder / name)
        fit(config, parts["train"], test=parts["test"], run=run, progress=False)
    return [folder / "a", folder / "b"]


@pytest.mark.parametrize("weights", ["equal", "validation"])
def test_metrics(paths, call, weights):
    asked = "--weights", weights, "--threshold", "precision=0.8"
    done = call("ensemble", *paths, *asked, "--json")
    assert done.status == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["selection"]["target"] == "precision=0.8"
    assert abs(found["selection"]["micro_precision"] - 80) < 10
    assert json.loads((paths[1] / "metrics.json").read_text())["learnt_validation"]
    assert found["calibrated_on"] == 250
    assert found["weighing_documents"] == (250 if weights == "validation" else 0)
    # 750 predictions have an error of about 2 points by chance.
    assert found["ECE@5"] < 6 and found["ECE@5"] < found["ECE@5 before calibration"] - 1


def test_without_training_documents(paths, call, caplog, tmp_path):
    """Other documents are evaluated, and the folder of the data has gone."""
    files = ["--texts", tmp_path / "texts", "--labels", tmp_path / "labels"]
    (tmp_path / "texts").write_text("game puzzle\n")
    (tmp_path / "labels").write_text("game\n")
    data = paths[0].parent / "data"
    data.rename(paths[0].parent / "moved")
    try:
        done = call("ensemble", *paths, *files, "--json")
        found = json.loads(done.stdout)
        assert found["calibrated_on"] == 0 and "ECE@5 before calibration" not in found
        assert "Scores of the ensemble stay as they are" in caplog.text
        moved = ["--data", paths[0].parent / "moved"]
        done = call("ensemble", *paths, *files, "--json", *moved)
        assert json.loads(done.stdout)["calibrated_on"] == 250
    finally:
        (paths[0].parent / "moved").rename(data)


def test_export_with_a_target(paths, call, tmp_path):
    out = tmp_path / "exports"
    done = call("export", *paths, out, "--threshold", "precision=0.8")
    assert done.status == 0, done.stderr
    card = (out / "1/assets.extra/model_card.md").read_text()
    assert "calibrated on 250 documents that no run was trained on" in card
    served = load_version(out / "1")
    rows = (paths[0].parent / "data/test_texts.txt").read_text().splitlines()
    text = np.array([row.encode() for row in rows], object)
    answer = served.predict({"text": text, "threshold": np.float32([])}, "select")
    served.close()
    lines = (paths[0].parent / "data/test_labels.txt").read_text().splitlines()
    right = accepted = 0
    for labels, count, line in zip(answer["labels"], answer["count"], lines):
        names = {name.decode() for name in labels[:count]}
        accepted += len(names)
        right += len(names & set(line.split()))
    assert accepted > 50 and 0.7 < right / accepted < 0.9


def test_features(tmp_path, call):
    """Runs of features instead of texts, in the same commands."""
    (tmp_path / "data").mkdir()
    random = np.random.default_rng(0)
    for part, documents in (("train", 700), ("test", 100)):
        lines = [f"{documents} 40 6"]
        for _ in range(documents):
            own = random.choice(6, random.integers(1, 4), False)
            words = {*own[random.random(len(own)) < 0.7], *random.integers(6, 40, 4)}
            labels = ",".join(map(str, own))
            lines.append(f"{labels} " + " ".join(f"{word}:1" for word in sorted(words)))
        (tmp_path / f"data/{part}.txt").write_text("\n".join(lines) + "\n")
    train = read_part(tmp_path / "data", "train")
    test = read_part(tmp_path / "data", "test", num_features=40)
    paths = fit_runs(tmp_path, {"train": train, "test": test})
    done = call("ensemble", *paths, "--weights", "validation", "--json")
    assert done.status == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["calibrated_on"] == found["weighing_documents"] == 250
    done = call("export", *paths, tmp_path / "out", "--threshold", "f1")
    assert done.status == 0, done.stderr
