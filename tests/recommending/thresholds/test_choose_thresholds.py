"""Thresholds against trying all of them."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from xmc_keras.files.bad_input import BadInput
from xmc_keras.recommending.calibration.calibration import Calibration
from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers
from xmc_keras.recommending.thresholds import choose_thresholds as module
from xmc_keras.recommending.thresholds.choose_thresholds import (
    choose_for_answers,
    choose_thresholds,
)
from xmc_keras.recommending.thresholds.find_accepted import find_accepted
from xmc_keras.recommending.thresholds.measure_selection import measure_selection
from xmc_keras.recommending.thresholds.target import Target

LABELS = 7
BANDS = np.array([0, 0, 1, 2, 3, 4, 4])


def draw(seed, documents=40):
    """Answers in which a label is right by its score; some documents have no labels."""
    rng = np.random.default_rng(seed)
    dense = rng.random((documents, LABELS + 1)) < 0.4  # the last label is unknown
    dense[::9] = False
    noise = rng.normal(0, 0.3, (documents, LABELS))
    scores = np.clip(0.3 + 0.4 * dense[:, :LABELS] + noise, 0, 1).round(2)
    labels = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    scores = np.take_along_axis(scores, labels, axis=1)
    labels[::7, 3:], scores[::7, 3:] = -1, 0
    relevant = scipy.sparse.csr_matrix(dense.astype(int))
    return HeldOutAnswers(labels.astype(np.int32), scores, relevant)


def every_threshold(answers):
    scores = np.unique(answers.scores[answers.real])
    between = (scores[1:] + scores[:-1]) / 2
    return [scores[0] / 2, *between, 1.1]


def matrices(answers, thresholds):
    """Accepted and right labels as dense arrays."""
    accepted = find_accepted(answers.label_ids, answers.scores, np.float32(thresholds))
    found = np.zeros(answers.relevant.shape, int)
    rows, places = np.nonzero(accepted)
    found[rows, answers.label_ids[rows, places]] = 1
    return found, answers.relevant.toarray()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**16))
def test_metrics_against_scikit_learn(seed):
    answers = draw(seed)
    found, truth = matrices(answers, 0.5)
    metrics = measure_selection(answers, 0.5)
    micro = {"average": "micro", "zero_division": 0}
    for name, function in (
        ("precision", precision_score),
        ("recall", recall_score),
        ("F1", f1_score),
    ):
        expected = 100 * function(truth, found, **micro)
        assert metrics[f"micro_{name}"] == pytest.approx(expected)
    some = truth.any(axis=0)
    expected = f1_score(
        truth[:, some], found[:, some], average="macro", zero_division=0
    )
    assert metrics["macro_F1"] == pytest.approx(100 * expected)
    labelled = truth.any(axis=1)
    hits = (found * truth)[labelled].sum(axis=1)
    assert metrics["answered"] == pytest.approx(100 * found.any(axis=1).mean())
    assert metrics["hit"] == pytest.approx(100 * (hits > 0).mean())
    expected = (hits / truth[labelled].sum(axis=1)).mean()
    assert metrics["recall"] == pytest.approx(100 * expected)
    assert metrics["labels_a_document"] == pytest.approx(found.sum(axis=1).mean())


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**16), st.sampled_from(["f1", "cost", "precision", "recall"]))
def test_no_other_threshold_is_better(seed, kind):
    answers = draw(seed)
    tried = [
        (t, measure_selection(answers, np.float32(t))) for t in every_threshold(answers)
    ]
    target = Target(kind, {"cost": 1.5, "precision": 0.6, "recall": 0.5}.get(kind))
    chosen = choose_for_answers(answers, target, BANDS)
    found = measure_selection(answers, chosen)
    if kind == "f1":
        best = max(metrics["micro_F1"] for _, metrics in tried)
        assert found["micro_F1"] == pytest.approx(best)
    elif kind == "cost":

        def cost(threshold):
            accepted, truth = matrices(answers, threshold)
            return np.sum(1.5 * accepted * (1 - truth) + truth * (1 - accepted))

        best = min(cost(threshold) for threshold, _ in tried)
        assert cost(chosen) == pytest.approx(best)
    elif kind == "precision":
        assert found["micro_precision"] >= 60
        most = max(
            metrics["labels_a_document"]
            for threshold, metrics in tried
            if metrics["micro_precision"] >= 60
            and matrices(answers, threshold)[0].sum() >= module.FEWEST_ACCEPTED
        )
        assert found["labels_a_document"] == pytest.approx(most)
    else:
        # One more document than there are, of which nothing is found.
        number = np.count_nonzero(np.diff(answers.relevant.indptr))
        share = number / (number + 1)
        assert share * found["recall"] >= 50 - 1e-6
        more = [m for t, m in tried if t > chosen + 1e-6]
        assert all(share * metrics["recall"] < 50 for metrics in more)


def test_hit_covers_new_documents():
    """Conformal: over many draws the share is that asked for, a little more."""
    shares = []
    for seed in range(60):
        chosen = choose_for_answers(draw(seed), Target("hit", 0.8), BANDS)
        shares.append(measure_selection(draw(1000 + seed), chosen)["hit"])
    assert 79 < np.mean(shares) < 85


def test_what_no_threshold_reaches_names_the_best():
    answers = draw(0)
    with pytest.raises(BadInput, match=r"with recall=0.99 .* none, 0\.\d+ is the best"):
        choose_for_answers(answers, Target("recall", 0.99), BANDS)
    with pytest.raises(BadInput, match=r"with precision=1 .* none, 0\.\d+ is the best"):
        choose_for_answers(answers, Target("precision", 1.0), BANDS)


def test_bands_and_labels(monkeypatch):
    monkeypatch.setattr(module, "FEWEST_OF_BAND", 10)
    monkeypatch.setattr(module, "FEWEST_OF_LABEL", 5)
    answers = draw(3, documents=200)
    # Labels of band 0 are never right.
    dense = answers.relevant.toarray()
    dense[:, :2] = 0
    answers = HeldOutAnswers(
        answers.label_ids, answers.scores, scipy.sparse.csr_matrix(dense)
    )
    whole = choose_for_answers(answers, Target("f1"), BANDS)
    by_band = choose_for_answers(answers, Target("f1", None, "band"), BANDS)
    by_label = choose_for_answers(answers, Target("f1", None, "label"), BANDS)
    assert whole.shape == () and by_band.shape == by_label.shape == (LABELS,)
    assert by_band[0] == by_band[1] == whole  # too few right labels of its own
    assert by_band[5] == by_band[6] and len(set(by_band.tolist())) > 2
    assert by_label[5] != by_label[6]
    for label in range(2, LABELS):

        def own_f1(threshold, label=label):
            found, truth = matrices(answers, threshold)
            return f1_score(truth[:, label], found[:, label])

        best = max(own_f1(threshold) for threshold in every_threshold(answers))
        assert own_f1(by_label[label]) == pytest.approx(best)
    macro = measure_selection(answers, by_label)["macro_F1"]
    assert macro >= measure_selection(answers, whole)["macro_F1"]
    chosen = choose_for_answers(answers, Target("macro_f1"), BANDS)
    best = max(
        measure_selection(answers, np.float32(t))["macro_F1"]
        for t in every_threshold(answers)
    )
    assert measure_selection(answers, chosen)["macro_F1"] == pytest.approx(
        best, abs=0.5
    )


def test_a_model_without_calibration():
    model = SimpleNamespace(calibration=None)
    assert choose_thresholds(model, 0.25) == np.float32(0.25)
    with pytest.raises(BadInput, match="Expected a calibrated model, to choose .* f1"):
        choose_thresholds(model, "f1")
    answers = draw(0)
    model.calibration = Calibration(np.ones(4), BANDS, answers)
    expected = choose_for_answers(answers, Target("f1"), BANDS)
    assert choose_thresholds(model, "f1") == expected
