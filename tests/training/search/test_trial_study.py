"""The study of a search on the disk."""

import optuna
import pytest

from xmc_keras import BadInput, Config
from xmc_keras.config.config_file import load_config
from xmc_keras.training.search.search_space import SearchSpace
from xmc_keras.training.search.trial_study import TrialStudy

CONFIG = Config(system="lightdxml", encoder="words", halve_at=None)
SPACE = SearchSpace(["epochs=2,4", "learning_rate=1e-3..1e-1"])
PARAMS = {"epochs": "2", "learning_rate": 0.01}


def begin(folder, config=CONFIG, space=SPACE, settings=(), digest="d"):
    study = TrialStudy(folder)
    study.begin(config, space, settings, digest)
    return study


def test_what_was_begun_is_found_again(tmp_path):
    assert not TrialStudy(tmp_path).begun
    begin(tmp_path)
    study = begin(tmp_path)
    assert study.begun and study.config == CONFIG
    assert study.space.keys == SPACE.keys and study.trials == []


def test_limits_stay_limits(tmp_path):
    config = load_config("quickstart", ["data=other"])
    begin(tmp_path, config, SearchSpace(["epochs=1,2"]))
    found = TrialStudy(tmp_path).config
    assert found == config
    for key in ("train_documents", "validation_documents", "top_k"):
        assert type(getattr(found, key)) is type(getattr(config, key))


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"space": SearchSpace(["epochs=2,4"])},
            "learning_rate was 0.001..0.1, is not",
        ),
        (
            {"space": SearchSpace(["epochs=2,8", "learning_rate=1e-3..1e-1"])},
            "epochs was 2,4, is 2,8.",
        ),
        (
            {
                "space": SearchSpace(
                    [*(f"{k}={v}" for k, v in SPACE.texts.items()), "proxy_epochs=0,1"]
                )
            },
            "proxy_epochs was not searched, is 0,1.",
        ),
        (
            {"config": Config(system="lightdxml", encoder="words", batch_size=7)},
            "batch_size was 32, is 7.",
        ),
        ({"settings": ["epochs=3"]}, "settings were none, are epochs=3."),
        ({"digest": "e"}, "other texts or labels."),
    ],
)
def test_another_search_is_refused(tmp_path, change, message):
    begin(tmp_path)
    with pytest.raises(BadInput) as caught:
        begin(tmp_path, **change)
    text = str(caught.value)
    assert message in text and "Choose another `runs`." in text
    begin(tmp_path)  # nothing has changed


def test_trials_are_numbered_and_read_by_other_processes(tmp_path):
    study = begin(tmp_path)
    assert [study.ask(PARAMS), study.ask(PARAMS | {"epochs": "4"})] == [0, 1]
    other = TrialStudy(tmp_path)
    trial = other.live(1)
    assert trial.params == {"epochs": "4", "learning_rate": 0.01}
    trial.report(50.0, 500)
    other.end(1, 51.0)
    assert [t.state.name for t in study.trials] == ["RUNNING", "COMPLETE"]
    assert study.trials[1].intermediate_values == {500: 50.0}
    assert study.run(1).path == tmp_path / "trial-1"


def test_values_that_were_chosen_before_a_kill_come_first(tmp_path):
    study = begin(tmp_path)
    study.study.enqueue_trial(PARAMS)  # killed here
    study = TrialStudy(tmp_path)
    assert study.ask(PARAMS | {"epochs": "4"}) == 0
    assert study.trials[0].params == PARAMS
    assert study.ask(PARAMS | {"epochs": "4"}) == 1
    assert study.trials[1].params["epochs"] == "4"


def test_a_damaged_file_is_one_sentence(tmp_path):
    begin(tmp_path)
    (tmp_path / "study.db").write_bytes(b"no data base" * 1000)
    with pytest.raises(BadInput) as caught:
        TrialStudy(tmp_path)
    assert "study.db: Expected the study of a search. Received: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_trial_is_pruned_below_the_median_of_the_same_share(tmp_path):
    """By the definition: at least five finished trials, three that can be compared."""
    study = begin(tmp_path)
    kinds = {key: v.distribution(optuna) for key, v in SPACE.keys.items()}

    def falls_behind(reported, step=500):
        trial = study.live(study.ask(PARAMS))
        trial.report(reported, step)
        pruned = trial.should_prune()
        study.end(trial.number)
        return pruned

    for i in range(5):
        assert not falls_behind(0.0)
        reports = {100: 10.0 * i, 500: 10.0 * i} | ({750: 90.0} if i < 2 else {})
        study.study.add_trial(
            optuna.create_trial(
                params=PARAMS,
                distributions=kinds,
                value=50.0,
                intermediate_values=reports,
            )
        )
    assert falls_behind(19.0) and not falls_behind(21.0)  # the median is 20
    assert not falls_behind(0.0, step=100)  # in the first fifth
    assert not falls_behind(0.0, step=750)  # two trials have come by here
