"""Scores from before a model learnt from documents: against dictionaries."""

import numpy as np
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.evaluation.ensemble.stored_scores import StoredScores
from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**16), st.integers(1, 9), st.integers(1, 8))
def test_scores_of_labels(seed, documents, labels):
    random = np.random.default_rng(seed)
    ids = random.permuted(np.tile(np.arange(labels), (documents, 1)), axis=1)
    ids = np.where(random.random(ids.shape) < 0.3, -1, ids)
    scores = random.random(ids.shape).astype("float32")
    relevant = scipy.sparse.csr_matrix((documents, labels))
    answers = HeldOutAnswers(ids, scores, relevant)
    rows = np.flatnonzero(random.random(documents) < 0.7)
    found = StoredScores(answers.subset(rows))
    asked = random.integers(-1, labels + 3, (len(rows), 5))
    for place, label in np.ndenumerate(asked):
        row = rows[place[0]]
        own = dict(zip(ids[row].tolist(), scores[row].tolist()))
        own.pop(-1, None)
        assert found.scores_of(asked)[place] == np.float32(own.get(label, 0))
