import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.lightdxml.document_words import find_top_words


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 5))
def test_against_sorted_sums(seed, num_labels, num_words):
    rng = np.random.default_rng(seed)
    features = rng.random((6, 7)) * (rng.random((6, 7)) < 0.4)
    labels = (rng.random((6, num_labels)) < 0.3).astype("float32")
    ids, weights, lengths = find_top_words(features, labels, num_words)
    for label in range(num_labels):
        total = sum(features[i] for i in range(6) if labels[i, label]) + np.zeros(7)
        best = [i for i in np.argsort(-total) if total[i] > 0][:num_words]
        pads = [-1] * (num_words - len(best))
        assert ids[label].tolist() == best + pads
        length = np.sqrt(sum(total[best] ** 2))
        assert lengths[label] == pytest.approx(length, rel=1e-5)
        expected = [*(total[best] / max(length, 1e-12)), *np.zeros(len(pads))]
        np.testing.assert_allclose(weights[label], expected, 1e-5)
    assert (ids.dtype, weights.dtype, lengths.dtype) == ("int32", "float32", "float32")


def test_many_blocks_are_as_one(monkeypatch):
    rng = np.random.default_rng(0)
    features, labels = rng.random((30, 8)), rng.random((30, 21)) < 0.2
    whole = find_top_words(features, labels, 3)
    monkeypatch.setattr("xmc_keras.lightdxml.document_words.BLOCK", 4)
    for one, other in zip(whole, find_top_words(features, labels, 3)):
        np.testing.assert_array_equal(one, other)


def test_errors():
    with pytest.raises(ValueError, match="Expected.*Received: 2 and 3 rows"):
        find_top_words(np.eye(2), np.eye(3), 1)
    with pytest.raises(ValueError, match="Expected `num_words` >= 1. Received: 0"):
        find_top_words(np.eye(2), np.eye(2), 0)
