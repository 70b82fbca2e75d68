"""Candidates of validation documents, against sorting."""

import numpy as np
import pytest
import scipy.sparse

from xmc_keras.one_vs_all import collect_candidates as module
from xmc_keras.one_vs_all.collect_candidates import collect_candidates


@pytest.mark.parametrize("block", [1, 40, 10**6])
@pytest.mark.parametrize("candidates", [1, 3, 30])
def test_candidates_are_the_best_of_each_member(block, candidates, monkeypatch):
    monkeypatch.setattr(module, "SCORES", block)
    monkeypatch.setattr(module, "CANDIDATES", candidates)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(2, 9, 7)).astype("float32")
    relevant = rng.random((9, 7)) < 0.3
    seen = []

    def score_block(start, end):
        seen.extend(range(start, end))
        return list(scores[:, start:end])

    found = collect_candidates(score_block, scipy.sparse.csr_matrix(relevant), 2)
    documents, labels, logits, targets = found
    assert seen == list(range(9)) and logits.dtype == np.float64
    expected = {
        (i, label)
        for member in scores
        for i, row in enumerate(member)
        for label in np.argsort(-row)[:candidates]
    }
    assert sorted(zip(documents, labels)) == sorted(expected)
    np.testing.assert_array_equal(logits, scores[:, documents, labels].T)
    np.testing.assert_array_equal(targets, relevant[documents, labels])
    assert targets.dtype == bool
