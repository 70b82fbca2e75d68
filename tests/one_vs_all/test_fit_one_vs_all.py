"""The contract of `fit_one_vs_all`, against an exact solution by scipy."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

from xmc_keras.one_vs_all.fit_one_vs_all import LEAST_CHANGE, fit_one_vs_all

NUM_DOCUMENTS, NUM_FEATURES = 60, 15


def random_set(seed=0):
    """Rows of norm 1 and six labels, each shown by two words of its own, with noise.

    The last two have no documents and all.
    """
    rng = np.random.default_rng(seed)
    labels = rng.random((NUM_DOCUMENTS, 6)) < [0.5, 0.3, 0.15, 0.05, 0, 1]
    labels[0, :4] = True
    features = rng.random((NUM_DOCUMENTS, NUM_FEATURES))
    features *= rng.random(features.shape) < 0.3
    for label in range(4):
        features[:, 2 * label : 2 * label + 2] += labels[:, label, None] * 0.7
    features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)
    return features.astype("float32"), labels


def all_others(labels):
    return lambda label: np.flatnonzero(~labels[:, label])


def solve(x, signs, c):
    """Weights and bias that minimise |w|²/2 + b²/2 + Σ C max(0, 1 - s (w x + b))².

    C may be an array (documents,).
    """
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1).astype("float64")

    def loss(w):
        slack = np.maximum(0, 1 - signs * (x @ w))
        return w @ w / 2 + c * slack @ slack, w - 2 * x.T @ (signs * c * slack)

    start = np.zeros(x.shape[1])
    options = {"gtol": 1e-9, "maxiter": 10_000}
    found = scipy.optimize.minimize(loss, start, jac=True, options=options).x
    return found[:-1], found[-1], lambda w: loss(w)[0]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("c", [0.5, 1.0, 4.0])
def test_margins_are_those_of_an_exact_solution(c, weighted, together):
    """Up to a tolerance: both stop before their solution is exact."""
    features, labels = random_set()
    negatives = None if together else all_others(labels)
    sample_weight = None
    if weighted:
        sample_weight = np.random.default_rng(1).choice([0.2, 1.0, 2.5], NUM_DOCUMENTS)
    rows, bias = fit_one_vs_all(
        scipy.sparse.csr_matrix(features),
        labels,
        negatives,
        c,
        least=0,
        sample_weight=sample_weight,
    )
    costs = c * sample_weight if weighted else c
    assert scipy.sparse.isspmatrix_csr(rows) and rows.shape == (6, NUM_FEATURES)
    assert rows.dtype == bias.dtype == np.float32 and bias.shape == (6,)
    margins = features @ rows.toarray().T + bias
    for label in range(4):
        signs = np.where(labels[:, label], 1.0, -1.0)
        weights, intercept, loss = solve(features, signs, costs)
        exact = features @ weights + intercept
        rough = {False: (0.05, 0.15), True: (0.02, 0.15)}[together][c > 1] * (
            1 + weighted
        )
        np.testing.assert_allclose(margins[:, label], exact, 0, rough)
        assert np.corrcoef(margins[:, label], exact)[0, 1] > 0.99
        ours = np.append(rows[[label]].toarray()[0], bias[label])
        best = loss(np.append(weights, intercept))
        assert best - 1e-4 <= loss(ours) <= (1.001 if together else 1.05) * best


def test_labels_of_no_document_and_of_all():
    features, labels = random_set()
    _, bias = fit_one_vs_all(scipy.sparse.csr_matrix(features), labels, None)
    assert bias[4:].tolist() == [-1, 1]
    sparse = scipy.sparse.csr_matrix(features)
    rows, bias = fit_one_vs_all(sparse, labels, all_others(labels))
    assert np.diff(rows.indptr)[4:].tolist() == [0, 0] and bias[4:].tolist() == [-1, 1]
    # Labels and negatives of any kind of matrix and integer.
    coo = scipy.sparse.coo_matrix(labels.astype("float32"))
    short = lambda label: all_others(labels)(label).astype("int32")  # noqa: E731
    again, same = fit_one_vs_all(sparse.astype("float64"), coo, short)
    np.testing.assert_allclose(again.toarray(), rows.toarray(), 1e-5, 1e-6)
    np.testing.assert_allclose(same, bias, 1e-5, 1e-6)


def test_only_the_chosen_documents_are_learnt_from():
    features, labels = random_set()
    chosen = lambda label: np.flatnonzero(~labels[:, label])[::2]  # noqa: E731

    def fit(features):
        sparse = scipy.sparse.csr_matrix(features)
        return fit_one_vs_all(sparse, labels, chosen, least=0)

    rows, bias = fit(features)
    for label in range(4):
        ids = np.concatenate([np.flatnonzero(labels[:, label]), chosen(label)])
        signs = np.where(labels[ids, label], 1.0, -1.0)
        weights, intercept, loss = solve(features[ids], signs, 1.0)
        ours = np.append(rows[[label]].toarray()[0], bias[label])
        assert loss(ours) <= 1.05 * loss(np.append(weights, intercept))
        others = np.setdiff1d(np.arange(NUM_DOCUMENTS), ids)
        changed = features.copy()
        changed[others] = changed[others, ::-1]
        again, same = fit(changed)
        assert (again[[label]] != rows[[label]]).nnz == 0 and same[label] == bias[label]


def test_weights_that_change_little_are_left_out():
    features, labels = random_set(1)
    arguments = scipy.sparse.csr_matrix(features), labels, all_others(labels), 1.0
    whole, bias = fit_one_vs_all(*arguments, least=0)
    means = features.sum(axis=0) / np.maximum((features > 0).sum(axis=0), 1)
    whole = whole.toarray()
    for least in (LEAST_CHANGE, 0.2, 100.0):
        rows, same = fit_one_vs_all(*arguments, least=least)
        kept = np.abs(whole) * means >= least
        np.testing.assert_allclose(rows.toarray(), whole * kept, 1e-5, 1e-6)
        assert rows.nnz == kept.sum()  # and no zeros are stored
        np.testing.assert_allclose(same, bias, 1e-5, 1e-6)
    assert rows.nnz == 0


def test_few_words_among_many():
    """Where the documents of a label have few of the words, as in any large set."""
    features, labels = random_set()
    wide = np.zeros((NUM_DOCUMENTS, 5000), "float32")
    places = np.random.default_rng(0).permutation(5000)[:NUM_FEATURES]
    wide[:, places] = features
    arguments = labels, all_others(labels), 1.0, 0
    narrow, bias = fit_one_vs_all(scipy.sparse.csr_matrix(features), *arguments)
    rows, same = fit_one_vs_all(scipy.sparse.csr_matrix(wide), *arguments)
    margins = features @ narrow.toarray().T + bias
    np.testing.assert_allclose(wide @ rows.toarray().T + same, margins, 0, 0.1)
    assert set(np.unique(rows.indices)) <= set(places)


def test_documents_without_words():
    features, labels = random_set()
    features[labels[:, 3]] = 0  # those of a label
    sparse = scipy.sparse.csr_matrix(features)
    rows, bias = fit_one_vs_all(sparse, labels, all_others(labels))
    assert np.isfinite(rows.data).all() and np.isfinite(bias).all()
    empty = np.flatnonzero(~features.any(axis=1))
    rows, bias = fit_one_vs_all(sparse, labels, lambda label: empty[:1])
    assert np.isfinite(rows.data).all() and np.isfinite(bias).all()


@pytest.mark.parametrize("negatives", [True, False])
def test_the_same_twice(negatives):
    """Also on several threads, whose order differs from run to run."""
    rng = np.random.default_rng(0)
    features = scipy.sparse.random(400, 300, 0.1, "csr", "float32", rng=rng)
    labels = rng.random((400, 80)) < 0.1
    chosen = all_others(labels) if negatives else None
    first, *others = [fit_one_vs_all(features, labels, chosen) for _ in range(4)]
    for rows, bias in others:
        assert (rows != first[0]).nnz == 0 and (bias == first[1]).all()
