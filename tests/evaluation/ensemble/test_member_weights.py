import itertools

import numpy as np
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.evaluation.ensemble.member_weights import choose_member_weights


def quality(weights, label_ids, scores, relevant):
    """P@1 + P@3 + P@5 in plain Python."""
    total = 0.0
    for i, labels in enumerate(label_ids):
        mean = {
            label: sum(w * part[i][j] for w, part in zip(weights, scores))
            for j, label in enumerate(labels)
            if label >= 0
        }
        ranked = sorted(mean, key=lambda label: -mean[label])
        right = set(np.flatnonzero(relevant[i]))
        total += sum(len(right & set(ranked[:k])) / k for k in (1, 3, 5))
    return total / len(label_ids)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**16), st.integers(2, 4))
def test_never_worse_than_equal_weights(seed, models):
    random = np.random.default_rng(seed)
    label_ids = np.stack([random.permutation(8)[:6] for _ in range(5)])
    scores = [random.uniform(size=(5, 6)) for _ in range(models)]
    relevant = (random.uniform(size=(5, 8)) < 0.3).astype(float)
    found = choose_member_weights(label_ids, scores, scipy.sparse.csr_matrix(relevant))
    assert len(found) == models and abs(sum(found) - 1) < 1e-9 and min(found) > 0
    equal = [1 / models] * models
    case = label_ids, scores, relevant
    assert quality(found, *case) >= quality(equal, *case) - 1e-9


def test_finds_the_best_of_two_as_trying_all_does():
    random = np.random.default_rng(1)
    relevant = (random.uniform(size=(40, 12)) < 0.2).astype(float)
    label_ids = np.tile(np.arange(12), (40, 1))
    good = relevant + random.normal(0, 0.7, relevant.shape)
    poor = relevant + random.normal(0, 1.5, relevant.shape)
    found = choose_member_weights(
        label_ids, [poor, good], scipy.sparse.csr_matrix(relevant)
    )
    assert found[1] > found[0]
    case = label_ids, [poor, good], relevant
    tried = [(i, 20 - i) for i in range(21)]
    best = max(quality(weights, *case) for weights in tried)
    assert quality(found, *case) >= best - 0.02
    assert quality(found, *case) > quality([1, 1], *case)


def test_pads_are_never_ranked():
    label_ids = np.array([[2, -1, 0], [-1, 1, -1]])
    relevant = scipy.sparse.csr_matrix([[1, 0, 0], [0, 1, 0]])
    scores = [np.array([[0.3, 0.9, 0.2], [0.9, 0.1, 0.9]]) for _ in range(2)]
    scores[1][0] = [0.1, 0.9, 0.3]
    for order in itertools.permutations(range(2)):
        found = choose_member_weights(label_ids, [scores[i] for i in order], relevant)
        assert quality(found, label_ids, [scores[i] for i in order], relevant.toarray())
