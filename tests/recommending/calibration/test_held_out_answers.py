"""Answers of models whose labels change, against a loop."""

import numpy as np
import scipy.sparse

from xmc_keras.recommending.calibration.calibration import Calibration
from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers

NAMES = list("abcde")  # and "x", which the model does not know
RANKED = [["b", "a", "e"], ["c", "d", None], ["e", "b", "c"]]
SCORES = np.array([[0.9, 0.5, 0.1], [0.6, 0.2, 0.0], [0.8, 0.7, 0.3]])
RELEVANT = [["a", "x"], ["c", "d"], ["b", "e"]]


def make_answers(names):
    ids = {name: i for i, name in enumerate([*names, "x"])}
    label_ids = [[-1 if name is None else ids[name] for name in row] for row in RANKED]
    dense = np.zeros((3, len(ids)))
    for row, labels in zip(dense, RELEVANT):
        row[[ids[name] for name in labels]] = 1
    return HeldOutAnswers(np.array(label_ids), SCORES, scipy.sparse.csr_matrix(dense))


def named(answers, names):
    """Label, score and whether it is right, of each document; and its labels."""
    names = [*names, "x"]
    rows = zip(answers.label_ids, answers.scores, answers.right)
    found = [
        [(names[i], s, r) for i, s, r in zip(*row) if i >= 0] for row in map(list, rows)
    ]
    relevant = [
        {names[i] for i in answers.relevant[row].indices}
        for row in range(answers.relevant.shape[0])
    ]
    return found, relevant


def test_further_labels():
    answers = make_answers(NAMES)
    more = answers.extend_labels(5, 7)
    assert named(more, [*NAMES, "f", "g"]) == named(answers, NAMES)
    assert more.relevant.shape == (3, 8)


def test_some_labels():
    answers = make_answers(NAMES)
    kept = ["e", "c", "b"]
    found, relevant = named(answers.select_labels([4, 2, 1], 5), kept)
    before, all_relevant = named(answers, NAMES)
    assert found == [[one for one in row if one[0] in kept] for row in before]
    assert relevant == [row & {*kept, "x"} for row in all_relevant]


def test_a_calibration_follows():
    calibration = Calibration(np.ones(4), [0, 1, 2, 3, 4], make_answers(NAMES))
    more = calibration.extend_labels([1, 30])
    assert more.label_bands.tolist() == [0, 1, 2, 3, 4, 0, 3]
    some = more.select_labels([6, 1])
    assert some.label_bands.tolist() == [3, 1]
    found, _ = named(some.answers, ["g", "b"])
    assert found == [[("b", 0.9, False)], [], [("b", 0.7, True)]]
    plain = Calibration(np.ones(4), [0, 1]).extend_labels([9]).select_labels([2])
    assert plain.answers is None and plain.label_bands.tolist() == [2]
