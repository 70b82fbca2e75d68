"""Targets of thresholds, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmc_keras.files.bad_input import BadInput
from xmc_keras.recommending.thresholds.target import SCOPES, Target


@pytest.mark.parametrize(
    "text, expected",
    [
        ("f1", ("f1", None, "all")),
        (" macro_f1/label ", ("macro_f1", None, "label")),
        ("precision=0.9/band", ("precision", 0.9, "band")),
        ("cost=2", ("cost", 2.0, "all")),
        ("hit=1", ("hit", 1.0, "all")),
        ("0.25", ("score", 0.25, "all")),
        ("score=0.25", ("score", 0.25, "all")),
        (0, ("score", 0.0, "all")),
        (1.0, ("score", 1.0, "all")),
    ],
)
def test_forms(text, expected):
    assert Target.parse(text) == Target(*expected)
    assert Target.parse(Target.parse(text)) == Target(*expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "F1",
        "f1=0.5",
        "precision",
        "precision=",
        "precision=x",
        "precision=0.9/labels",
    ]
    + ["f1/", "0.5/band", "cost", "=0.5", "best", None, True, [0.5], "precision=0.9=1"],
)
def test_no_forms(text):
    with pytest.raises(BadInput, match="Expected a threshold: f1, macro_f1"):
        Target.parse(text)


@pytest.mark.parametrize(
    "text, words",
    [
        ("precision=1.5", "Expected precision from 0 to 1. Received: 1.5."),
        ("recall=-0.1", "Expected recall from 0 to 1. Received: -0.1."),
        ("cost=-1", "Expected cost of at least 0. Received: -1."),
        ("1.01", "Expected a threshold from 0 to 1. Received: 1.01."),
        (-0.5, "Expected a threshold from 0 to 1. Received: -0.5."),
        ("nan", "Expected a threshold from 0 to 1. Received: nan."),
    ],
)
def test_limits(text, words):
    with pytest.raises(BadInput) as error:
        Target.parse(text)
    assert str(error.value) == words


@given(
    st.sampled_from(["precision", "recall", "hit"]),
    st.integers(0, 1000),
    st.sampled_from(SCOPES),
)
def test_words_are_read_again(kind, value, scope):
    target = Target(kind, value / 1000, scope)
    assert Target.parse(str(target)) == target
