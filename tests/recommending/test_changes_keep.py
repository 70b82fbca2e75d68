"""Calibration and titles of models whose labels change."""

import numpy as np
import pytest
import scipy.sparse

from tests.helpers import tiny_lightdxml
from tests.recommending.test_hybrid import make_hybrid
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.recommending.calibration.calibration import Calibration
from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers

NAMES = tiny_lightdxml.NAMES  # p to u


def make_lightdxml():
    return tiny_lightdxml.make_with_linear(num_candidates=6)


@pytest.fixture(params=[make_lightdxml, make_hybrid])
def model(request):
    model = request.param()
    titles = {"p": "Pea", "q": "Queue"}
    for member in [getattr(model, "transformer", model), getattr(model, "words", None)]:
        if member is not None:
            member.label_set = LabelSet(NAMES, titles)
    answers = HeldOutAnswers(
        np.array([[1, 0], [5, 2]]),
        np.array([[0.9, 0.2], [0.6, 0.5]]),
        scipy.sparse.csr_matrix(np.eye(2, 7)),
    )
    model.calibration = Calibration([1.1, 0.9, 0.2, -0.5], np.arange(6) % 5, answers)
    return model


def check(model, bands, titles, label_ids):
    assert model.label_set.titles == titles
    assert model.calibration.label_bands.tolist() == bands
    assert model.calibration.answers.label_ids.tolist() == label_ids
    assert model.calibration.coefficients.tolist() == pytest.approx(
        [1.1, 0.9, 0.2, -0.5]
    )


def test_labels_that_are_added(model):
    more = model.add_labels({"new": ["sea sky", "mud"], "other": ["air"]})
    titles = {"p": "Pea", "q": "Queue"}
    check(more, [0, 1, 2, 3, 4, 0, 1, 0], titles, [[1, 0], [5, 2]])
    assert more.recommend(["sea sky"], k=4)[0][0][1] <= 1


def test_labels_that_are_removed(model):
    some = model.remove_labels(["p", "t"])
    check(some, [1, 2, 3, 0], {"q": "Queue"}, [[0, -1], [3, 1]])


def test_labels_that_are_renamed(model):
    other = model.rename_labels({"p": "peas"})
    check(other, [0, 1, 2, 3, 4, 0], {"peas": "Pea", "q": "Queue"}, [[1, 0], [5, 2]])
    texts = ["sea sky", "mud sun"]
    before, after = model.recommend(texts, k=3), other.recommend(texts, k=3)
    for row, own in zip(after, before):
        assert [name.removesuffix("eas") for name, _ in row] == [n for n, _ in own]
        scores = [score for _, score in own]
        np.testing.assert_allclose([score for _, score in row], scores, rtol=1e-5)


def test_corrections(model):
    learnt = model.learn(["sea mud"], [["p", "fresh"]])
    titles = {"p": "Pea", "q": "Queue"}
    check(learnt, [0, 1, 2, 3, 4, 0, 0], titles, [[1, 0], [5, 2]])
