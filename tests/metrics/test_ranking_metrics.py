import math
import time

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from tests.helpers.slow_metrics import (
    slow_ndcg,
    slow_precision,
    slow_psndcg,
    slow_psp,
    slow_recall,
)
from xmc_keras.metrics.ranking_metrics import (
    f1_at_k,
    ndcg_at_k,
    precision_at_k,
    psndcg_at_k,
    psp_at_k,
    ranking_report,
    recall_at_k,
)


def csr(labels, width):
    matrix = np.zeros((len(labels), width), np.float32)
    for row, ids in zip(matrix, labels, strict=True):
        row[list(ids)] = 1
    return scipy.sparse.csr_matrix(matrix)


# The oracle: the definitions, one document at a time, with sets.


@st.composite
def cases(draw):
    """Predictions below `num_labels` with pads and repeats; labels up to `width`."""
    num_documents, columns = draw(st.integers(1, 5)), draw(st.integers(0, 7))
    num_labels = draw(st.integers(1, 9))
    width = num_labels + draw(st.integers(0, 3))
    row = st.lists(st.integers(-1, num_labels - 1), min_size=columns, max_size=columns)
    top = draw(st.lists(row, min_size=num_documents, max_size=num_documents))
    labels = draw(
        st.lists(
            st.sets(st.integers(0, width - 1)),
            min_size=num_documents,
            max_size=num_documents,
        )
    )
    weight = draw(
        st.lists(st.floats(0.5, 20), min_size=width, max_size=width).map(np.array)
    )
    dtype = draw(st.sampled_from([np.int32, np.int64]))
    return np.array(top, dtype).reshape(num_documents, columns), labels, weight


@settings(deadline=None, max_examples=60)
@given(case=cases(), k=st.integers(1, 8))
def test_equals_loops_with_sets(case, k):
    top, labels, weight = case
    relevant = csr(labels, len(weight))
    rows = top.tolist()
    expected = {
        "P": slow_precision(rows, labels, k),
        "nDCG": slow_ndcg(rows, labels, k),
        "PSP": slow_psp(rows, labels, weight, k),
        "PSnDCG": slow_psndcg(rows, labels, weight, k),
    }
    assert precision_at_k(top, relevant, k) == pytest.approx(expected["P"])
    assert ndcg_at_k(top, relevant, k) == pytest.approx(expected["nDCG"])
    assert psp_at_k(top, relevant, weight, k) == pytest.approx(expected["PSP"])
    assert psndcg_at_k(top, relevant, weight, k) == pytest.approx(expected["PSnDCG"])
    assert recall_at_k(top, relevant, k) == pytest.approx(slow_recall(rows, labels, k))
    assert recall_at_k(top, relevant) == pytest.approx(slow_recall(rows, labels, None))

    report = ranking_report(top, relevant, weight, ks=(9, k))
    assert list(report) == [f"{name}@{j}" for name in expected for j in (9, k)]
    for name, value in expected.items():
        assert report[f"{name}@{k}"] == pytest.approx(100 * value)


@settings(deadline=None, max_examples=60)
@given(case=cases(), k=st.integers(1, 8))
def test_bounds_and_the_best_prediction(case, k):
    top, labels, weight = case
    relevant = csr(labels, len(weight))
    for value in ranking_report(top, relevant, weight, ks=[k]).values():
        assert 0 <= value <= 100 + 1e-9
    # Each document's labels, largest weight first, are the best possible ranking.
    best = np.full((len(labels), len(weight)), -1)
    for row, ids in zip(best, labels, strict=True):
        row[: len(ids)] = sorted(ids, key=lambda label: -weight[label])
    some = any(labels)
    report = ranking_report(best, relevant, weight, ks=[k])
    assert report[f"PSP@{k}"] == pytest.approx(100 * some)
    assert report[f"PSnDCG@{k}"] == pytest.approx(100 * some)
    assert report[f"nDCG@{k}"] == pytest.approx(
        100 * np.mean([bool(x) for x in labels])
    )
    assert recall_at_k(best, relevant) == pytest.approx(float(some))


def test_equals_napkinxc():
    # napkinxc 0.7.2, k=5: precision_at_k, ndcg_at_k, psprecision_at_k, psndcg_at_k
    # and recall_at_k of napkinxc.metrics on these lists and inverse propensities
    # (from its Jain_et_al_inverse_propensity, see test_inverse_propensity.py). In its
    # mean recall a document without labels counts as 0; we leave it out: 6 documents
    # there, 5 here.
    labels = [[0, 3, 7], [2], [1, 4, 5, 6, 8, 9], [], [0, 5], [3, 9]]
    top = [
        [3, 1, 7, 2, 9],
        [2, 0, 4, -1, -1],
        [9, 8, 0, 1, 3],
        [6, 0, 2, 4, 8],
        [1, 2, 3, 4, 6],
        [0, 9, 5, 3, -1],
    ]
    weight = [
        1.6599472497013772,
        1.9241347293950501,
        2.176747475457102,
        2.4053404993129393,
        2.691032606032233,
        3.005562484673038,
        3.239591414308091,
        3.5715694165843863,
        4.0943445622221,
        5.098127670479376,
    ]
    napkinxc = {
        "P@1": 0.5,
        "P@3": 0.3333333333333333,
        "P@5": 0.26666666666666666,
        "nDCG@1": 0.5,
        "nDCG@3": 0.47602192220954964,
        "nDCG@5": 0.5090089731153529,
        "PSP@1": 0.5108256901319784,
        "PSP@3": 0.6521716704326104,
        "PSP@5": 0.6674870102968454,
        "PSnDCG@1": 0.5108256901319784,
        "PSnDCG@3": 0.6128644372588765,
        "PSnDCG@5": 0.6240682185560378,
    }
    relevant = csr(labels, 10)
    report = ranking_report(top, relevant, weight)
    assert list(report) == list(napkinxc)
    for name, value in napkinxc.items():
        assert report[name] == pytest.approx(100 * value, rel=1e-12)
    recall = [0.25, 0.3611111111111111, 0.4166666666666667, 0.5277777777777778]
    for k, value in enumerate(recall, start=1):
        assert recall_at_k(top, relevant, k) == pytest.approx(value * 6 / 5, rel=1e-12)


@settings(deadline=None)
@given(cases(), st.integers(1, 8))
def test_f1_equals_scikit_learn(case, k):
    # As Annif computes it: of matrices of 0 and 1.
    top, labels, weight = case
    predicted = [{label for label in row[:k] if label >= 0} for row in top]
    # With one column alone scikit-learn would take it for classes.
    truth, found = (csr(rows, len(weight) + 1) for rows in (labels, predicted))
    expected = f1_score(truth, found, average="samples", zero_division=0)
    assert f1_at_k(top, truth, k) == pytest.approx(expected)


def test_label_matrix_in_any_form():
    # Unsorted, a duplicate and a stored zero; the caller's matrix stays as it is.
    relevant = scipy.sparse.csr_matrix(
        (np.float32([1, 1, 1, 0]), np.int32([3, 1, 3, 0]), [0, 4, 4]), shape=(2, 5)
    )
    top = [[3, 0, 1], [2, 1, 0]]
    weight = [1.0, 2.0, 4.0, 8.0, 16.0]
    expected = ranking_report(top, csr([{1, 3}, set()], 5), weight)
    assert expected["P@1"] == 50
    for form in (relevant, relevant.tocoo(), scipy.sparse.csc_array(relevant)):
        assert ranking_report(top, form, weight) == expected
    assert recall_at_k(top, relevant) == 1
    assert relevant.indices.tolist() == [3, 1, 3, 0]
    assert relevant.data.tolist() == [1, 1, 1, 0]


def test_a_large_data_set_takes_seconds():
    # Keys of (document, label) pairs go beyond 32 bits here, and a loop over documents
    # would take minutes.
    rng = np.random.default_rng(0)
    num_documents, num_labels = 150_000, 670_000
    rows = np.repeat(np.arange(num_documents), 5)
    columns = rng.integers(0, num_labels, len(rows))
    relevant = scipy.sparse.csr_matrix(
        (np.ones(len(rows), np.float32), (rows, columns)),
        shape=(num_documents, num_labels),
    )
    top = np.full((num_documents, 100), -1, np.int32)
    top[:, 2::3] = rng.integers(0, num_labels, (num_documents, 33))
    top[:, 0] = columns[::5]  # the first label of each document is found, at rank 1
    start = time.monotonic()
    report = ranking_report(top, relevant, np.ones(num_labels))
    assert time.monotonic() - start < 20
    assert report["P@1"] == 100
    assert report["P@5"] == pytest.approx(20, abs=0.01)


RELEVANT = csr([{0, 1}, {3}], 4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(k=0), "integer above 0. Received: k=0"),
        (dict(k=1.0), "Received: k=1.0"),
        (dict(k=True), "Received: k=True"),
        (dict(top=[[0.5], [0.1]]), "integer label ids .*float64"),
        (dict(top=[0, 1]), r"Received: shape=\(2,\)"),
        (dict(top=np.zeros((0, 3), int)), "at least one document"),
        (dict(top=[[1]]), "sparse matrix of 1 rows"),
        (
            dict(top=[[1], [4]]),
            "below 4, the number of columns of `relevant`. Received: 4",
        ),
        (dict(relevant=RELEVANT.toarray()), "Received: ndarray of shape=\\(2, 4\\)"),
        (dict(relevant=[[0, 1], [3]]), "Received: list of shape=None"),
        (dict(weight=np.ones(3)), r"each of the 4 columns .*Received: shape=\(3,\)"),
        (dict(weight=[1, 1, 0, 1]), "above 0. Received: 0"),
        (dict(weight=[1, 1, 1, math.nan]), "finite and above 0. Received: nan"),
    ],
)
def test_wrong_arguments(wrong, message):
    arguments = dict(top=[[0, 1], [1, 3]], relevant=RELEVANT, weight=np.ones(4), k=1)
    arguments.update(wrong)
    for metric in (psp_at_k, psndcg_at_k):
        with pytest.raises(ValueError, match=message):
            metric(**arguments)
    weight, k = arguments.pop("weight"), arguments.pop("k")
    with pytest.raises(ValueError, match=message):
        ranking_report(**arguments, weight=weight, ks=[1, k])
    if "weight" not in wrong:
        for metric in (precision_at_k, ndcg_at_k, recall_at_k):
            with pytest.raises(ValueError, match=message):
                metric(**arguments, k=k)


def test_report_needs_a_k():
    with pytest.raises(ValueError, match="at least one k"):
        ranking_report([[0], [1]], RELEVANT, np.ones(4), ks=())
