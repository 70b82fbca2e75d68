"""What a search accepts, and what it proposes."""

import dataclasses
import math

import optuna
import pytest

from xmc_keras import BadInput, Config
from xmc_keras.training.search.search_space import SearchSpace

WORDS = Config(system="lightdxml", encoder="words")
COMPLETE, PRUNED = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED


def finished(space, params, value=1.0):
    kinds = {key: v.distribution(optuna) for key, v in space.keys.items()}
    return optuna.create_trial(params=params, distributions=kinds, value=value)


def propose_all(space, number, seed=0):
    """Proposals one after the other, each finished with a value of its own."""
    trials = []
    for i in range(number):
        trials.append(finished(space, space.propose(trials, seed), float(i % 3)))
    return [trial.params for trial in trials]


@pytest.mark.parametrize(
    "text, low, high, log",
    [
        ("learning_rate=1e-4..1e-2", 1e-4, 1e-2, True),
        ("learning_rate=0.001..0.01", 0.001, 0.01, True),
        ("learning_rate=0.001..0.0099", 0.001, 0.0099, False),
        ("feature_dropout=0..0.5", 0.0, 0.5, False),
        ("weight_decay = .1 .. 9", 0.1, 9.0, True),
        ("epochs=2..8", 2, 8, False),
        ("batch_size=16..256", 16, 256, True),
        ("random_negatives=0..1000", 0, 1000, False),
        ("linear_c=1...2e2", 1.0, 20.0, True),
    ],
)
def test_ranges(text, low, high, log):
    [(key, found)] = SearchSpace([text]).keys.items()
    assert (found.low, found.high, found.log) == (low, high, log)
    assert type(found.low) is type(found.high) is type(low)
    # The same when it is read again, whatever was typed.
    again = SearchSpace([f"{key}={found}"])
    assert again.keys == {key: found}


@pytest.mark.parametrize(
    "text, values",
    [
        ("epochs=2,4,8", (2, 4, 8)),
        ("learning_rate=1e-4, 3e-4", (1e-4, 3e-4)),
        ("linear=true,false", (True, False)),
        ("encoder=minilm,folder/../base #1", ("minilm", "folder/../base #1")),
        ("encoder='a,b',c", ("a,b", "c")),
        ("halve_at=[4, 6],null,[5]", ([4, 6], None, [5])),
        (
            "level_layers=[[4, 5], 6, 6],null,[4, [5], 6]",
            ([[4, 5], [6], [6]], None, [[4], [5], [6]]),
        ),
        ("char_ngrams=null,[3, 5]", (None, [3, 5])),
        ("precision=float32,mixed_bfloat16", ("float32", "mixed_bfloat16")),
    ],
)
def test_choices(text, values):
    [found] = SearchSpace([text]).keys.values()
    assert found.values == values
    params = [found.find(value) for value in values]
    assert [found.value(param) for param in params] == list(values)


@pytest.mark.parametrize(
    "text, message",
    [
        ("epochs", "Expected key=values, with a range of numbers (low..high) or"),
        ("=1,2", "Expected key=values"),
        ("epcohs=1,2", "Unknown config key: epcohs (did you mean epochs?)."),
        ("epochs=2,four", "setting epochs=four: Expected epochs to be an integer"),
        ("epochs=0..4", "setting epochs=0: Expected epochs to be an integer of at"),
        ("epochs=1..2.5", "setting epochs=2.5: Expected epochs to be an integer"),
        ("epochs=1..2..3", "Expected epochs to be an integer"),
        ("epochs=4..4", "Expected a range from a number to a higher one"),
        ("epochs=8..2", "Expected a range from a number to a higher one"),
        ("linear_c=null..1", "Expected a range from a number to a higher one"),
        ("feature_dropout=0..1", "and below 1. Received: 1"),
        ("epochs=", "Expected epochs to be an integer"),
        ("epochs=4", "at least two values, each once. Received: 4."),
        ("epochs=2,4,2", "at least two values, each once. Received: 2,4,2."),
        ("epochs=2,4,", "Expected epochs to be an integer of at least 1. Rec"),
        ("encoder=a..b", "at least two values, each once. Received: a..b."),
        ("precision=float32,float8", "Expected precision to be"),
        ("seed=0..9", "Expected a key that changes the model alone. Received: seed,"),
        ("split_seed=1,2", "Received: split_seed, which"),
        ("data=a,b", "Received: data, which"),
        ("validation_documents=10..90", "Received: validation_documents, which"),
    ],
)
def test_bad_input(text, message):
    with pytest.raises(BadInput) as caught:
        SearchSpace([text])
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_key_is_searched_once():
    with pytest.raises(BadInput, match="Received: epochs twice"):
        SearchSpace(["epochs=1,2", "epochs=2..4"])


def test_values_that_exclude_each_other():
    config = Config(encoder="minilm", epochs=5, swa_start=1)
    SearchSpace(["swa_start=1..3", "epochs=4..8"]).check(config)
    with pytest.raises(BadInput) as caught:
        SearchSpace(["swa_start=1..4", "epochs=4..8"]).check(config)
    text = str(caught.value)
    assert text.startswith(
        "search swa_start=4 epochs=4: Expected swa_start to be below"
    )
    with pytest.raises(BadInput, match="a key of lightdxml"):
        SearchSpace(["refresh=1,2"]).check(config)


def test_the_config_of_values():
    space = SearchSpace(
        ["epochs=2..4", "halve_at=null,[1, 2]", "schedule=linear,halving"]
    )
    values = space.values({"epochs": 3, "halve_at": "[1, 2]", "schedule": "halving"})
    found = space.replace(WORDS, values)
    expected = {"epochs": 3, "halve_at": [1, 2], "schedule": "halving"}
    assert found == dataclasses.replace(WORDS, **expected)


def test_own_values_come_first_as_far_as_they_are_searched():
    config = dataclasses.replace(WORDS, learning_rate=0.003, epochs=5)
    space = SearchSpace(["learning_rate=1e-3..1e-2", "epochs=2,4", "clip_norm=1,null"])
    assert space.of_config(config) == {"learning_rate": 0.003, "clip_norm": "null"}


def test_proposals_are_in_range_and_can_be_written_down():
    space = SearchSpace(
        ["learning_rate=1e-5..1e-1", "feature_dropout=0.1..0.6", "batch_size=8..128"]
    )
    found = propose_all(space, 30)
    rates, dropouts, sizes = zip(*(params.values() for params in found))
    assert all(1e-5 <= rate <= 1e-1 and len(f"{rate:e}".rstrip("0")) for rate in rates)
    assert all(float(f"{rate:.2e}") == rate for rate in rates)
    assert all(0.1 <= x <= 0.6 and round(x, 4) == x for x in dropouts)
    assert all(type(size) is int and 8 <= size <= 128 for size in sizes)
    # Orders of magnitude are drawn alike: a linear draw has 1 of 1,000 below 1e-4.
    assert sum(rate < 1e-3 for rate in rates[:10]) >= 2
    for params in found:
        space.replace(WORDS, space.values(params))


def test_proposals_depend_on_the_trials_alone():
    space = SearchSpace(["learning_rate=1e-5..1e-1", "epochs=1..9"])
    first, again = propose_all(space, 14), propose_all(space, 14)
    assert first == again != propose_all(space, 14, seed=1)
    assert len({str(params) for params in first}) == 14


def test_tpe_learns_from_the_trials():
    space = SearchSpace(["learning_rate=1e-5..1e-1"])
    trials = []
    for _ in range(40):
        params = space.propose(trials, 0)
        value = -abs(math.log10(params["learning_rate"]) + 2)  # best at 0.01
        trials.append(finished(space, params, value))
    late = [abs(math.log10(trial.params["learning_rate"]) + 2) for trial in trials[20:]]
    assert sum(late) / 20 < 0.8  # random ones are 1.25 away


@pytest.mark.parametrize("seed", range(3))
def test_each_combination_is_proposed_once(seed):
    space = SearchSpace(["epochs=1..4", "linear=true,false", "batch_size=8,16,32"])
    found = propose_all(space, 24, seed)
    assert space.size == 24 == len({tuple(params.values()) for params in found})
