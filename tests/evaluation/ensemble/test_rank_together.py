import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.evaluation.ensemble.average_scores import (
    average_scores,
    normalize_weights,
)
from xmc_keras.recommending.rank_together import rank_together

LABELS = 9


@st.composite
def offers(draw):
    """Labels (texts, n) of several models, with pads; and mean scores of all labels."""
    texts, models = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    offered = []
    for _ in range(models):
        width = draw(st.integers(1, 5))
        rows = [
            draw(st.permutations(range(LABELS)))[: draw(st.integers(0, width))]
            for _ in range(texts)
        ]
        padded = [[*row, *[-1] * (width - len(row))] for row in rows]
        offered.append(np.array(padded, "int32"))
    # All means differ, so that the ranking is unique.
    order = draw(st.permutations(range(texts * LABELS)))
    mean = (np.array(order, "float32").reshape(texts, LABELS) + 1) / 100
    return offered, mean


@settings(deadline=None, max_examples=60)
@given(offers(), st.data())
def test_union_against_plain_python(case, data):
    offered, mean = case
    width = sum(part.shape[1] for part in offered)
    k = data.draw(st.integers(1, width))

    def scores_of(labels):
        return tf.gather(mean, tf.maximum(labels, 0), batch_dims=1)

    ids, scores = rank_together(offered, scores_of, k)
    for text, (row, row_scores) in enumerate(zip(ids.numpy(), scores.numpy())):
        union = {int(i) for part in offered for i in part[text] if i >= 0}
        best = sorted(union, key=lambda label: -mean[text, label])[:k]
        assert row.tolist() == best + [-1] * (k - len(best))
        expected = [mean[text, label] for label in best]
        np.testing.assert_allclose(row_scores[: len(best)], expected)
        assert not row_scores[len(best) :].any()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any), st.data())
def test_mean_against_plain_python(weights, data):
    scores = data.draw(
        st.lists(
            st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3),
            min_size=len(weights),
            max_size=len(weights),
        )
    )
    found = average_scores([tf.constant(part) for part in scores], weights)
    expected = [
        sum(w * part[i] for w, part in zip(weights, scores)) / sum(weights)
        for i in range(3)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("weights", [[1], [1, -1], [0, 0], [1, float("nan")]])
def test_wrong_weights(weights):
    with pytest.raises(ValueError, match="Expected `weights` of 2 models"):
        normalize_weights(weights, 2)
