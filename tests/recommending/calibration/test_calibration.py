"""Calibration: against known probabilities, NumPy and scikit-learn's logistic."""

import keras
import numpy as np
import pytest
import scipy.sparse
from scipy.special import expit

from tests.helpers.served_lightxml import make_model
from xmc_keras.labels.label_bands import BANDS, find_bands
from xmc_keras.metrics.calibration_curve import calibration_curve
from xmc_keras.recommending.calibration.calibration import FEWEST_RIGHT, Calibration
from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers

COUNTS = np.array([1, 3, 10, 50, 500] * 40)  # 40 labels of each band


def draw_answers(documents, seed=0):
    """Answers whose scores are too sure: their logits are twice those of the truth.

    Labels of a band are right by a chance that is less, the rarer they are.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permuted(np.tile(np.arange(len(COUNTS)), (documents, 1)), axis=1)
    labels = labels[:, :20].astype(np.int32)
    logits = rng.normal(-1, 2, labels.shape)
    chances = expit(logits - 0.5 * (4 - find_bands(COUNTS)[labels]))
    right = rng.random(labels.shape) < chances
    rows, places = np.nonzero(right)
    relevant = scipy.sparse.csr_matrix(
        (np.ones(len(rows)), (rows, labels[rows, places])), (documents, len(COUNTS))
    )
    answers = HeldOutAnswers(labels, expit(2 * logits), relevant)
    return answers.with_scores(answers.scores), expit(logits), labels, chances


def test_probabilities_come_near_the_truth():
    answers, _, _, _ = draw_answers(2000)
    calibration = Calibration.fit(answers, COUNTS)
    others, _, labels, chances = draw_answers(1000, seed=1)
    scores = draw_scores(others, calibration)
    before = calibration_curve(others.label_ids, others.scores, others.relevant, 20)
    after = calibration_curve(others.label_ids, scores, others.relevant, 20)
    assert before[-1] > 0.1 and after[-1] < 0.01
    # Also the chances of single pairs, which no label says.
    own = expit(2 * np.log(_odds(labels, chances)))
    found = calibration.apply(labels, own, own).numpy()
    assert np.abs(found - chances).mean() < 0.01


def _odds(labels, chances):
    """Odds of the truth, without the share of the band."""
    return chances / (1 - chances) * np.exp(0.5 * (4 - find_bands(COUNTS)[labels]))


def draw_scores(answers, calibration):
    scores = answers.scores
    return calibration.apply(answers.label_ids, scores, scores).numpy()


def test_apply_against_numpy():
    rng = np.random.default_rng(0)
    coefficients = rng.uniform(0, 2, (len(BANDS) + 1, 4))
    bands = rng.integers(0, 5, 9)
    labels = np.array([[3, -1, 8], [0, 2, -1]])
    scores = np.array([[0.0, 0.5, 1.0], [0.25, 0.9, 0.1]], "float32")
    ranked = np.array([[1.0, 1.0, 0.5], [0.0, 0.0, 0.0]])
    found = Calibration(coefficients, bands).apply(labels, scores, ranked).numpy()
    for place, label in np.ndenumerate(labels):
        a, b, d, c = coefficients[bands[label]]
        s = min(max(float(scores[place]), 1e-7), 1 - 1e-7)
        logit = a * np.log(s) - b * np.log(1 - s) + c
        logit += d * np.log(max(ranked[place[0]].sum(), 1e-7))
        expected = expit(logit) if label >= 0 else 0
        # float32 has few digits between 1 - 1e-7 and 1
        assert found[place] == pytest.approx(expected, rel=2e-2 if s > 0.99 else 1e-5)


def test_too_few_right_labels_leave_scores():
    answers, *_ = draw_answers(2000)
    some = np.cumsum(answers.right.sum(axis=1)) < FEWEST_RIGHT
    few = HeldOutAnswers(
        answers.label_ids[some], answers.scores[some], answers.relevant[some]
    )
    assert Calibration.fit(few, COUNTS) is None


def test_answers_are_sorted_and_a_file_keeps_them(tmp_path):
    answers, *_ = draw_answers(300)
    calibration = Calibration.fit(answers, COUNTS, later_counts=COUNTS * 10)
    assert (calibration.label_bands == find_bands(COUNTS * 10)).all()
    kept = calibration.answers
    assert (np.diff(kept.scores, axis=1) <= 0).all()
    assert kept.right.sum() == answers.right.sum()
    calibration.save(tmp_path / "calibration.npz")
    again = Calibration.load(tmp_path / "calibration.npz")
    np.testing.assert_array_equal(again.coefficients, calibration.coefficients)
    np.testing.assert_array_equal(again.answers.label_ids, kept.label_ids)
    np.testing.assert_array_equal(again.answers.right, kept.right)
    assert again.answers.relevant.shape == kept.relevant.shape


@pytest.fixture(scope="module")
def model():
    return make_model(0, list("abcdef"), [[0, 3, 5], [1, 4, 2]])


TEXTS = ["sea sky", "a b sky sky air mud", "c", "mud sun sea sky"]
# Frequent labels become less likely.
CALIBRATION = Calibration([[1, 1, 0, 1.5], [1, 1, 0, -1.5]] * 2, [0, 1, 2, 3, 0, 1])


def test_a_model_ranks_by_it(model, tmp_path):
    model.calibration = None
    before = [dict(row) for row in model.recommend(TEXTS, k=4)]
    ranked = model.recommend(TEXTS, k=2)
    model.calibration = CALIBRATION
    after = model.recommend(TEXTS, k=4)
    assert model.recommend(TEXTS, k=2) != ranked
    for row, own in zip(after, before):
        assert [name for name, _ in row] != list(own)
        scores = [score for _, score in row]
        assert scores == sorted(scores, reverse=True)
        for name, score in row:
            band = CALIBRATION.label_bands["abcdef".index(name)]
            logit = np.log(own[name] / (1 - own[name])) + [1.5, -1.5][band % 2]
            assert score == pytest.approx(expit(logit), rel=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert again.recommend(TEXTS, k=4) == after
    model.calibration = None
    assert [dict(row) for row in model.recommend(TEXTS, k=4)] == before
