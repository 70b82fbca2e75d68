"""Calibration of an ensemble: by hand, in NumPy, and in a served graph."""

import numpy as np
import pytest
from scipy.special import expit

from tests.helpers.answers import ask, names_and_scores
from tests.helpers.served_lightxml import make_model
from xmc_keras import BadInput, Documents, calibrate_ensemble, export
from xmc_keras.metrics.calibration_curve import calibration_curve
from xmc_keras.recommending.calibration.calibration import Calibration
from xmc_keras.serving.graph.serving_module import ServingModule

NAMES, WEIGHTS = list("abcdef"), [3, 1]
BANDS = np.arange(6) % 5
# 140 texts of one to seven letters.
LETTERS = np.random.default_rng(0).choice(list("abcdefgh"), (140, 7))
TEXTS = [" ".join(row[: 1 + i % 7]) for i, row in enumerate(LETTERS)]


@pytest.fixture(scope="module")
def models():
    models = [
        make_model(0, NAMES, [[0, 3, 5], [1, 4, 2]]),
        make_model(2, NAMES, [[0, 1], [2, 3], [4, 5]], top_k=3, num_predictions=6),
    ]
    for model, coefficients in zip(models, ([0.5, 1.2, 0.3, -1.0], [0.8, 0.4, 0, 0.2])):
        model.calibration = Calibration(coefficients, BANDS)
    return models


@pytest.fixture(scope="module")
def mean_scores(models):
    """Weighted mean of the calibrated scores (texts, labels), by hand.

    Each model ranks all labels of its clusters, so that its answers are its scores.
    """
    tables = []
    for model in models:
        model.num_predictions, kept = 6, model.num_predictions
        # Its own scores: the total of a calibration is that of `kept` labels.
        model.calibration, calibration = None, model.calibration
        rows = [dict(row) for row in model.recommend(TEXTS, k=6)]
        model.num_predictions, model.calibration = kept, calibration
        own = np.array([[row[name] for name in NAMES] for row in rows])
        total = -np.sort(-own, axis=1)[:, :kept].sum(axis=1, keepdims=True)
        a, b, d, c = calibration.coefficients
        logits = a * np.log(own) - b * np.log1p(-own) + d * np.log(total) + c
        tables.append(expit(logits))
    return (3 * tables[0] + tables[1]) / 4


@pytest.fixture(scope="module")
def documents(mean_scores):
    """Labels are drawn by chances of which the mean scores are too cautious."""
    logits = 2.5 * np.log(mean_scores / (1 - mean_scores)) + 0.5
    drawn = np.random.default_rng(1).random(mean_scores.shape) < expit(logits)
    return Documents(TEXTS, [[NAMES[i] for i in np.flatnonzero(r)] for r in drawn])


@pytest.fixture(scope="module")
def calibration(models, documents):
    return calibrate_ensemble(models, documents, WEIGHTS)


def test_answers_and_error(models, documents, mean_scores, calibration):
    answers = calibration.answers
    # The first model offers four of the six labels, the second all.
    expected = np.argsort(-mean_scores, axis=1)[:, :4]
    assert answers.label_ids.tolist() == expected.tolist()
    assert (calibration.label_bands == BANDS).all()
    before = np.take_along_axis(mean_scores, expected, axis=1)
    errors = [
        calibration_curve(expected, scores, answers.relevant, 4)[-1]
        for scores in (before, answers.scores)
    ]
    assert errors[0] > 0.08 and errors[1] < errors[0] / 2
    assert (np.diff(answers.scores, axis=1) <= 0).all()


@pytest.mark.parametrize(
    "stored",
    [
        ("float32", "float32"),
        pytest.param(("int8", "float16"), marks=pytest.mark.large),
    ],
)
def test_served(models, mean_scores, calibration, stored):
    module = ServingModule(
        models, 3, *stored, weights=WEIGHTS, threshold=0.4, calibration=calibration
    )
    a, b, d, c = calibration.coefficients
    total = -np.sort(-mean_scores, axis=1)[:, :4].sum(axis=1, keepdims=True)
    logits = a * np.log(mean_scores) - b * np.log1p(-mean_scores) + c
    expected = expit(logits + d * np.log(total))
    exact = stored[0] == "float32"
    tolerance = 1e-4 if exact else 0.1
    every = [[*NAMES, "other"]] * len(TEXTS)
    scores = ask(module, "score", text=TEXTS, labels=every)["scores"]
    np.testing.assert_allclose(scores[:, :6], expected, atol=tolerance)
    assert (scores[:, 6] == -1).all()
    selected = ask(module, "select", text=TEXTS, threshold=np.float32([]))
    for row, found in zip(names_and_scores(selected), expected):
        of_names = dict(zip(NAMES, found))
        for name, score in row:
            assert score == pytest.approx(of_names[name], abs=tolerance)
        best = sorted(NAMES, key=of_names.get, reverse=True)[:4]
        if exact:
            assert [name for name, _ in row] == [n for n in best if of_names[n] >= 0.4]


def test_scores_stay(models, documents, calibration, caplog, tmp_path):
    few = documents.subset(range(5))
    assert calibrate_ensemble(models, few) is None
    assert "needs 100 right labels, and there are" in caplog.text
    other = make_model(0, NAMES[::-1], [[0, 3, 5], [1, 4, 2]])
    assert calibrate_ensemble([models[0], other], documents) is None
    assert "one of its models has no calibration" in caplog.text
    other.calibration = models[0].calibration
    assert calibrate_ensemble([models[0], other], documents) is None
    assert "its models know other labels" in caplog.text
    with pytest.raises(BadInput, match="Expected several models with a calibration"):
        export(other, tmp_path, TEXTS, calibration=calibration)
