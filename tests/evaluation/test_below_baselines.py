import pytest

from xmc_keras.config.config import Config
from xmc_keras.evaluation.below_baselines import warn_of_baselines

WORDS = {"system": "lightdxml", "encoder": "words"}
OURS = {"P@1": 50.0, "P@3": 40.0, "P@5": 30.0, "PSP@5": 9.0}


def warn(baselines, part="test", **config):
    config = Config(**{**WORDS, "label_words": 9, **config})
    return warn_of_baselines(OURS, baselines, config, part)


@pytest.mark.parametrize("key", ["P@1", "P@3", "P@5"])
def test_below_at_one_metric(key):
    (warning,) = warn({"popular": OURS, "nearest": {**OURS, key: OURS[key] + 0.5}})
    assert f"nearest: {key} {OURS[key]:.2f}, not {OURS[key] + 0.5:.2f};" in warning
    assert "popular" not in warning and warning.count(" not ") == 1
    assert warning.count(".  ") == 0 and warning.endswith("or another recipe.")


def test_below_two_baselines_is_one_sentence():
    better = {key: value + 1 for key, value in OURS.items()}
    (warning,) = warn(
        {"popular": better, "nearest": {**OURS, "P@5": 31.0}}, "validation"
    )
    assert "On the validation part" in warning
    assert warning.index("popular: P@1 50.00") < warning.index("nearest: P@5 30.00")


@pytest.mark.parametrize("better", [{}, {"PSP@5": 99.0}, {"P@1": 50.003}])
def test_equal_is_not_below(better):
    assert warn({"popular": OURS | better, "nearest": OURS}) == []
    assert warn({}) == []


@pytest.mark.parametrize(
    "config, words, others",
    [
        ({}, "epochs above 3 or batch_size below 32", "set "),
        ({"label_words": 0}, "set label_words: 64, train more", "head_start"),
        ({"label_words": 0, "encoder": "minilm"}, "train more steps", "label_words"),
        ({"batch_size": 1, "epochs": 7}, "epochs above 7, or another", "batch_size"),
        (
            {"system": "lightxml", "encoder": "minilm", "label_words": 0},
            "set head_start: centroids, train",
            "label_words",
        ),
        (
            {"system": "lightxml", "encoder": "minilm", "label_words": 0}
            | {"head_start": "centroids"},
            "train more steps",
            "head_start",
        ),
    ],
)
def test_what_to_do(config, words, others):
    (warning,) = warn({"popular": {**OURS, "P@3": 41.0}}, **config)
    assert words in warning and others not in warning
