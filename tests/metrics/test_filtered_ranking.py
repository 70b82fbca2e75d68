import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.slow_metrics import (
    slow_ndcg,
    slow_precision,
    slow_psndcg,
    slow_psp,
)
from xmc_keras.metrics.filtered_ranking import filter_ranking
from xmc_keras.metrics.ranking_metrics import ranking_report

SLOW = {"P": slow_precision, "nDCG": slow_ndcg}
SLOW_WEIGHTED = {"PSP": slow_psp, "PSnDCG": slow_psndcg}


@st.composite
def cases(draw):
    """Distinct scores of all labels, the relevant labels and the filtered ones."""
    num_documents, num_labels = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    order = st.permutations(range(num_labels))
    scores = draw(st.lists(order, min_size=num_documents, max_size=num_documents))
    bits = st.lists(
        st.lists(st.booleans(), min_size=num_labels, max_size=num_labels),
        min_size=num_documents,
        max_size=num_documents,
    )
    relevant, filtered = (np.array(draw(bits)) for _ in range(2))
    return np.array(scores, float) + 1, relevant, filtered


@settings(deadline=None, max_examples=60)
@given(case=cases(), data=st.data())
def test_equals_scores_without_those_of_the_pairs(case, data):
    """Oracle, as in the Repository: removes filtered scores, then ranks the rest."""
    scores, relevant, filtered = case
    num_documents, num_labels = scores.shape
    n = data.draw(st.integers(1, num_labels))
    top = np.argsort(-scores, axis=1)[:, :n].astype("int32")
    best = np.take_along_axis(scores, top, axis=1)
    given = top.copy(), best.copy()
    found, found_scores = filter_ranking(top, scipy.sparse.csr_matrix(filtered), best)
    assert found.shape == top.shape and found.dtype == top.dtype
    np.testing.assert_array_equal(filter_ranking(top, filtered_csr(filtered)), found)
    expected = []
    for row, gone, ids, of_ids in zip(scores, filtered, found, found_scores):
        left = np.where(gone, -np.inf, row)
        whole = [i for i in np.argsort(-left).tolist() if np.isfinite(left[i])]
        # What is left of the top n without the filtered labels.
        kept = n - np.count_nonzero(gone[np.argsort(-row)[:n]])
        assert ids.tolist() == whole[:kept] + [-1] * (n - kept)
        assert of_ids.tolist() == [row[i] for i in whole[:kept]] + [0] * (n - kept)
        expected.append(whole[:kept])
    # The arguments are not changed.
    np.testing.assert_array_equal(top, given[0])
    np.testing.assert_array_equal(best, given[1])

    # The metrics equal those of the filtered lists.
    labels = [set(np.flatnonzero(row)) for row in relevant & ~filtered]
    weight = data.draw(
        st.lists(st.floats(0.5, 20), min_size=num_labels, max_size=num_labels)
    )
    k = data.draw(st.integers(1, n))
    rest = scipy.sparse.csr_matrix((relevant & ~filtered).astype("float32"))
    report = ranking_report(found, rest, weight, ks=[k])
    for name, slow in SLOW.items():
        assert report[f"{name}@{k}"] == pytest.approx(100 * slow(expected, labels, k))
    for name, slow in SLOW_WEIGHTED.items():
        value = 100 * slow(expected, labels, weight, k)
        assert report[f"{name}@{k}"] == pytest.approx(value)


def filtered_csr(filtered):
    """The filter as a csr matrix, with two extra empty columns."""
    matrix = scipy.sparse.csr_matrix(filtered.astype("float32"))
    matrix.resize(matrix.shape[0], matrix.shape[1] + 2)
    return matrix


def test_pads_and_no_filter():
    top = np.array([[4, -1, 2, -1]])
    filtered = scipy.sparse.csr_matrix([[0, 0, 0, 0, 1]])
    assert filter_ranking(top, filtered).tolist() == [[-1, 2, -1, -1]]
    scores = np.array([[0.5, 0.0, 0.25, 0.0]])
    found = filter_ranking(top, None, scores)
    assert [part.tolist() for part in found] == [top.tolist(), scores.tolist()]
    assert filter_ranking(top, None).tolist() == top.tolist()
    with pytest.raises(ValueError, match="of 1 rows.*Received: 2"):
        filter_ranking(top, scipy.sparse.csr_matrix((2, 5)))
