"""Calibration: against known probabilities, NumPy and scikit-learn's logistic."""

import keras
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from tests.helpers.served_lightxml import make_model
from xmc_keras.metrics.calibration_curve import calibration_curve
from xmc_keras.recommending.calibration.calibration import FEWEST_RIGHT, Calibration
from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers

BANDS = np.arange(200) % 5  # 40 labels of each


def draw_answers(documents, seed=0, more=0.0):
    """Answers whose scores are too sure: their logits are twice those of the truth.

    With `more` documents have more labels than their scores say, where many are likely.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permuted(np.tile(np.arange(len(BANDS)), (documents, 1)), axis=1)
    labels = labels[:, :20].astype(np.int32)
    logits = rng.normal(-1, 2, labels.shape) + rng.normal(0, 1, (documents, 1))
    scores = expit(2 * logits)
    chances = expit(logits + more * np.log(scores.sum(axis=1, keepdims=True)))
    right = rng.random(labels.shape) < chances
    rows, places = np.nonzero(right)
    relevant = scipy.sparse.csr_matrix(
        (np.ones(len(rows)), (rows, labels[rows, places])), (documents, len(BANDS))
    )
    return HeldOutAnswers(labels, scores, relevant), chances


@pytest.mark.parametrize("more", [0.0, -0.8, 0.5])
def test_probabilities_come_near_the_truth(more):
    answers, _ = draw_answers(2000, more=more)
    calibration = Calibration.fit(answers, BANDS)
    others, chances = draw_answers(1000, 1, more)
    labels, own, relevant = others.label_ids, others.scores, others.relevant
    scores = calibration.apply(labels, own, own).numpy()
    before = calibration_curve(labels, own, relevant, 20)
    after = calibration_curve(labels, scores, relevant, 20)
    assert before[-1] > 0.05 and after[-1] < 0.015
    # Also the chances of single pairs, which no label says.
    assert np.abs(scores - chances).mean() < 0.015
    # Of any labels, not of the ranked alone.
    some = calibration.apply(labels[:, 3:5], own[:, 3:5], own).numpy()
    np.testing.assert_allclose(some, scores[:, 3:5], rtol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**16))
def test_labels_keep_their_order(seed):
    rng = np.random.default_rng(seed)
    answers, _ = draw_answers(60, seed)
    right = answers.right & (rng.random(answers.right.shape) < rng.random())
    rows, places = np.nonzero(right)
    pairs = rows, answers.label_ids[rows, places]
    ones = np.ones(len(rows))
    relevant = scipy.sparse.csr_matrix((ones, pairs), answers.relevant.shape)
    calibration = Calibration.fit(
        HeldOutAnswers(answers.label_ids, answers.scores, relevant), BANDS
    )
    if calibration is None:
        return
    own = -np.sort(-rng.random((5, 50)).astype("float32"), axis=1)
    found = calibration.apply(np.zeros((5, 50), int), own, own).numpy()
    assert (np.diff(found, axis=1) <= 0).all()


def test_apply_against_numpy():
    rng = np.random.default_rng(0)
    a, b, d, c = coefficients = rng.uniform(0, 2, 4)
    labels = np.array([[3, -1, 8], [0, 2, -1]])
    scores = np.array([[0.0, 0.5, 1.0], [0.25, 0.9, 0.1]], "float32")
    ranked = np.array([[1.0, 1.0, 0.5], [0.0, 0.0, 0.0]])
    found = Calibration(coefficients, np.zeros(9)).apply(labels, scores, ranked).numpy()
    for place, label in np.ndenumerate(labels):
        s = min(max(float(scores[place]), 1e-7), 1 - 1e-7)
        logit = a * np.log(s) - b * np.log(1 - s) + c
        logit += d * np.log(max(ranked[place[0]].sum(), 1e-7))
        expected = expit(logit) if label >= 0 else 0
        # float32 has few digits between 1 - 1e-7 and 1
        assert found[place] == pytest.approx(expected, rel=2e-2 if s > 0.99 else 1e-5)


def test_too_few_right_labels_leave_scores():
    answers, _ = draw_answers(2000)
    some = np.cumsum(answers.right.sum(axis=1)) < FEWEST_RIGHT
    few = HeldOutAnswers(
        answers.label_ids[some], answers.scores[some], answers.relevant[some]
    )
    assert Calibration.fit(few, BANDS) is None


def test_a_file_keeps_everything(tmp_path):
    answers, _ = draw_answers(300)
    calibration = Calibration.fit(answers, BANDS)
    assert (calibration.label_bands == BANDS).all()
    kept = calibration.answers
    assert kept.right.sum() == answers.right.sum()
    calibration.save(tmp_path / "calibration.npz")
    again = Calibration.load(tmp_path / "calibration.npz")
    np.testing.assert_array_equal(again.coefficients, calibration.coefficients)
    np.testing.assert_array_equal(again.label_bands, calibration.label_bands)
    np.testing.assert_array_equal(again.answers.label_ids, kept.label_ids)
    np.testing.assert_array_equal(again.answers.right, kept.right)
    assert again.answers.relevant.shape == kept.relevant.shape


@pytest.fixture(scope="module")
def model():
    return make_model(0, list("abcdef"), [[0, 3, 5], [1, 4, 2]])


TEXTS = ["sea sky", "a b sky sky air mud", "c", "mud sun sea sky"]
CALIBRATION = Calibration([0.5, 1.2, 0.3, -1.5], np.zeros(6, int))


def test_a_model_answers_by_it(model, tmp_path):
    model.calibration = None
    before = model.recommend(TEXTS, k=4)
    model.calibration = CALIBRATION
    after = model.recommend(TEXTS, k=4)
    for row, own in zip(after, before):
        assert [name for name, _ in row] == [name for name, _ in own]
        total = sum(score for _, score in own)
        for (_, score), (_, s) in zip(row, own):
            logit = 0.5 * np.log(s) - 1.2 * np.log(1 - s) + 0.3 * np.log(total) - 1.5
            assert score == pytest.approx(expit(logit), rel=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert again.recommend(TEXTS, k=4) == after
    model.calibration = None
    assert model.recommend(TEXTS, k=4) == before
