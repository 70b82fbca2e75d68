"""Searches that train: values, pruning, interruptions and failures."""

import dataclasses
import json
import shutil

import optuna
import pytest

from tests.helpers.fit_runs import Killed, history, metrics
from xmc_keras import BadInput, Config, Documents, fit
from xmc_keras.config.config_file import load_config
from xmc_keras.data.splits import read_part
from xmc_keras.training.search.prune_trial import PruneTrial
from xmc_keras.training.search.run_search import check_comparable, run_search
from xmc_keras.training.search.search_space import SearchSpace
from xmc_keras.training.search.train_trial import train_trial
from xmc_keras.training.search.trial_study import TrialStudy
from xmc_keras.training.search.trial_table import (
    format_trials,
    list_trials,
    save_trials,
)

RATES = SearchSpace(["learning_rate=1e-4..1e-1", "head_learning_rate=1e-4..1e-1"])


@pytest.fixture
def config(tiny_data, tmp_path):
    """A LightDXML of words, for a folder without a test part."""
    data = tmp_path / "data"
    data.mkdir()
    for kind in ("texts", "labels"):
        shutil.copy(tiny_data / f"train_{kind}.txt", data)
    return Config(
        system="lightdxml",
        data=str(data),
        encoder="words",
        validation_documents=30,
        embedding_dim=16,
        epochs=4,
        refresh=4,
        proxy_epochs=0,
        num_neighbors=8,
        num_predictions=10,
        batch_size=16,
        learning_rate=0.01,
        head_learning_rate=0.01,
        beta=1.0,
        jit_compile=False,
    )


def begin(folder, config, space=RATES):
    study = TrialStudy(folder)
    study.begin(config, space, [], "digest")
    return study


def run(study, trials, train=None):
    trained = []

    def train_here(number):
        trained.append(number)
        (train or train_trial)(study.folder, number)

    run_search(study, trials, train_here, lambda: None)
    return trained


@pytest.mark.large
def test_trials_are_runs_and_the_best_is_a_recipe(config, tmp_path):
    config = dataclasses.replace(config, epochs=2, refresh=2)
    study = begin(tmp_path / "s", config)
    assert run(study, 2) == [0, 1]
    rows, best = save_trials(study)
    found = [metrics(tmp_path / "s" / f"trial-{i}") for i in range(2)]
    values = [run["validation"]["P@5"] for run in found]
    assert [trial.value for trial in study.trials] == values
    # No test part is read: the metrics are of the validation split.
    assert [round(run["P@5"], 2) for run in found] == [round(x, 2) for x in values]
    own = {"learning_rate": 0.01, "head_learning_rate": 0.01}
    assert study.trials[0].params == own
    order = sorted(range(2), key=lambda i: -values[i])
    assert [row["trial"] for row in rows] == [f"trial-{i}" for i in order]
    assert best == rows[0] and best["P@5"] == round(max(values), 2)

    # The recipe trains the same model, to the last bit of its metrics.
    recipe = load_config(tmp_path / "s/best.yaml")
    again = fit(recipe, read_part(config.data, "train"), progress=False)
    assert again.metrics["validation"] == found[order[0]]["validation"]
    assert {key: getattr(recipe, key) for key in own} == best["values"]

    report = json.loads((tmp_path / "s/sweep.json").read_text())
    assert report["rows"] == rows and report["best"] == best
    assert report["runs"]["trial-1"]["P@5"] == found[1]["P@5"]
    assert report["failed"] == []
    assert (tmp_path / "s/sweep.md").read_text() == format_trials(rows)

    # Started again, with more trials: finished ones are not trained again.
    assert run(TrialStudy(tmp_path / "s"), 2) == []
    assert run(
        TrialStudy(tmp_path / "s"), 3, lambda _, number: study.end(number, 1.0)
    ) == [2]


def add_finished(study, reports, number=5):
    kinds = {k: v.distribution(optuna) for k, v in study.space.keys.items()}
    for _ in range(number):
        trial = optuna.create_trial(
            params={key: values.low for key, values in study.space.keys.items()},
            distributions=kinds,
            value=50.0,
            intermediate_values=reports,
        )
        study.study.add_trial(trial)


def test_a_pruned_trial_leaves_a_record(config, tmp_path):
    study = begin(tmp_path / "s", config)
    add_finished(study, {250: 0.0, 500: 101.0})  # no trial is as good in the middle
    assert run(study, 6) == [5]
    folder = tmp_path / "s/trial-5"
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.yaml", "history.csv", "digests.json"}
    assert [row["epoch"] for row in history(folder)] == [0, 1]
    trial = study.trials[5]
    assert trial.state.name == "PRUNED" and set(trial.intermediate_values) == {250, 500}
    row = next(row for row in list_trials(study) if row["trial"] == "trial-5")
    last = 100 * history(folder)[-1]["val_precision_at_5"]
    assert row["ended"] == "pruned" and row["P@5"] == round(last, 2)
    assert trial.intermediate_values[500] == pytest.approx(last)
    assert not (tmp_path / "s/.trial-5.lock").exists()
    # Also if the program was killed before it deleted the rest.
    (folder / "best.keras").write_bytes(b"large")
    (folder / "checkpoint").mkdir()
    assert run(study, 6) == []
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.large
@pytest.mark.parametrize(
    "after_report", [True, pytest.param(False, marks=pytest.mark.large)]
)
def test_an_interrupted_trial_is_continued(config, tmp_path, monkeypatch, after_report):
    study = begin(tmp_path / "s", config)
    original = PruneTrial.on_epoch_end

    def interrupted(self, epoch, logs=None):
        if epoch == 2 and not after_report:
            raise Killed
        original(self, epoch, logs)
        if epoch == 2:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(PruneTrial, "on_epoch_end", interrupted)
        run(study, 1)
    assert study.trials[0].state.name == "RUNNING"
    assert run(TrialStudy(tmp_path / "s"), 1) == [0]
    assert study.trials[0].state.name == "COMPLETE"
    assert sorted(study.trials[0].intermediate_values) == [250, 500, 750, 1000]
    whole = fit(config, read_part(config.data, "train"), run=tmp_path / "w")
    assert whole.metrics["validation"]["P@5"] == study.trials[0].value
    assert history(tmp_path / "s/trial-0") == history(tmp_path / "w")


def test_a_trial_that_diverges_is_pruned(config, tmp_path):
    config = dataclasses.replace(config, learning_rate=1e38, clip_norm=None)
    space = SearchSpace(["learning_rate=1e37..1e38", "epochs=2,4"])
    study = begin(tmp_path / "s", config, space)
    assert run(study, 1) == [0]
    [row] = list_trials(study)
    assert (row["ended"], row["values"]["epochs"]) == ("diverged", 4)
    assert "Expected training to converge" in study.trials[0].user_attrs["diverged"]
    assert not list((tmp_path / "s/trial-0").glob("*.keras"))
    assert run(study, 1) == []


def test_a_failed_trial_is_repeated_at_the_next_start(config, tmp_path, caplog):
    study = begin(tmp_path / "s", config)

    def fails(folder, number):
        if number != 1:
            study.end(number, 40.0 + number)  # as a process that trained it

    def trains(folder, number):
        study.end(number, 40.0)

    # A process that was killed leaves its trial as it is.
    assert run(study, 3, fails) == [0, 1, 2]
    assert "trial-1 failed" in caplog.text
    assert study.trials[1].state.name == "RUNNING"
    assert run(study, 3, trains) == [1]
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}


def test_a_search_ends_if_nothing_can_be_trained(config, tmp_path):
    study = begin(tmp_path / "s", config)
    with pytest.raises(BadInput, match="Received: 3 that failed"):
        run(study, 9, lambda folder, number: None)
    assert len(study.trials) == 3
    with pytest.raises(BadInput, match="Received: 3 that failed"):
        run(study, 9, lambda folder, number: None)
    assert len(study.trials) == 3


def test_as_many_trials_as_combinations(config, tmp_path):
    study = begin(
        tmp_path / "s", config, SearchSpace(["epochs=3,4", "batch_size=8..9"])
    )
    trained = run(study, 20, lambda _, number: study.end(number, 1.0))
    assert trained == [0, 1, 2, 3]
    assert len({str(trial.params) for trial in study.trials}) == 4


def test_the_generator_of_static_negatives_is_not_compared():
    config = Config(encoder="minilm", epochs=4, negatives="static", recall_epochs=2)
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(lower=1e9))
    prune = PruneTrial(study.ask(), config)
    prune.set_model(type("Model", (), {"stop_training": False})())
    for epoch in range(2):
        prune.on_epoch_end(epoch, {"val_precision_at_5": 0.1})
    assert study.trials[0].intermediate_values == {}
    with pytest.raises(optuna.TrialPruned):
        prune.on_epoch_end(2, {"val_precision_at_5": 0.3})
    assert study.trials[0].intermediate_values == {750: pytest.approx(30.0)}
    prune.on_epoch_end(3, {"val_precision_at_5": 0.3})  # nothing is left to save


def test_validation_that_cannot_compare_is_refused(config):
    config = dataclasses.replace(config, data=None, validation_documents=None)
    texts = [f"word{i} text" for i in range(30)]
    with pytest.raises(BadInput, match="to compare trials by. Received: none of 3."):
        check_comparable(config, Documents(texts, [[f"l{i}"] for i in range(30)]))
    check_comparable(config, Documents(texts, [[f"l{i % 2}"] for i in range(30)]))
