import csv
import json

import numpy as np
import pytest

from xmc_keras.run_checkpoint import RunCheckpoint
from xmc_keras.run_folder import RunFolder

SETTINGS = [
    "--set",
    "negatives=static",
    "--set",
    "recall_epochs=1",
    "--set",
    "epochs=2",
]


def epochs(folder):
    with open(folder / "history.csv", newline="") as file:
        return [row["epoch"] for row in csv.DictReader(file)]


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_the_generator_learns_first_and_its_choice_stays(
    tiny_config, tmp_path, call, monkeypatch
):
    import stages

    folder, trained, train_stage = tmp_path / "static", [], stages.train_stage

    def train_and_look(config, run, model, batches, *rest):
        if model.ranker is not None:
            # The ranker begins; encoder and generator are as they were left.
            x, _ = next(batches.in_order().batches())
            logits = np.array(model.generator(model.encoder(x, training=False))[0])
            best = np.argsort(-logits, axis=1)[:, :2]
            assert np.array_equal(x["shortlist"], best)
            assert np.array_equal(batches.shortlist, np.load(run.shortlist_path))
            assert batches.shortlist.shape == (130, 2)
            assert batches.shuffle
        else:
            assert batches.shortlist is None
        trained.append(model.name)
        return train_stage(config, run, model, batches, *rest)

    monkeypatch.setattr(stages, "train_stage", train_and_look)
    result = call("fit", tiny_config, "--run", folder, *SETTINGS)
    assert result.status == 0, result.stderr
    assert trained == ["recall", "lightxml"]
    lines = [line for line in result.stdout.splitlines() if line.startswith("Epoch ")]
    assert lines == ["Epoch 1 of 1", "Epoch 2 of 2"]
    assert epochs(folder / "recall") == ["0"] and epochs(folder) == ["1"]
    assert not list(folder.rglob("checkpoint*"))
    assert RunFolder(folder).load_model().ranker is not None
    popular = metrics(folder)["baselines"]["most popular labels"]
    assert metrics(folder)["P@1"] > popular["P@1"] + 10


@pytest.mark.large
def test_killed_in_either_stage_and_continued(tiny_config, tmp_path, call):
    class Killed(BaseException):
        pass

    save = RunCheckpoint.save

    def save_and_die(checkpoint):
        save(checkpoint)
        raise Killed

    call("fit", tiny_config, "--run", tmp_path / "unbroken", *SETTINGS)
    arguments = [tiny_config, "--run", tmp_path / "killed", *SETTINGS]
    for resume in ([], ["--resume"]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RunCheckpoint, "save", save_and_die)
            with pytest.raises(Killed):
                call("fit", *arguments, *resume)
    assert call("fit", *arguments, "--resume").status == 0
    ours, theirs = metrics(tmp_path / "killed"), metrics(tmp_path / "unbroken")
    for key in ("P@1", "P@5", "PSP@5", "recall@10"):
        assert ours[key] == pytest.approx(theirs[key], abs=1e-4)
    assert ours["train_seconds"] > 0
