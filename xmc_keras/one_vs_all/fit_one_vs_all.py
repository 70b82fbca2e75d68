"""Training of linear one-vs-all classifiers over words."""

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

# A weight is kept if it changes the logit of the mean document that has the word by so
# much. Debian-24K keeps half of the weights above 0.05, and reads a sixth of them per
# document, for the same P@k.
LEAST_CHANGE = 0.015

# Up to this many documents, and products of matrices of documents x documents and
# documents x labels, all labels are solved together.
FEW_DOCUMENTS, FEW_PRODUCTS = 3_000, 2e10
# Of the joint solution. Its objective on CodiEsp, C = 1, is then exact to five digits.
ROUNDS = 20
BLOCK = 256  # labels whose weights are computed at a time


def fit_one_vs_all(
    features, label_matrix, negatives, c=1.0, least=LEAST_CHANGE, sample_weight=None
):
    """Fits one linear classifier per label, by an L2-regularised squared hinge loss.

    Each label learns from all its documents and from chosen negatives, by liblinear, or
    all learn from all documents, and are solved together. Small weights are left out.

    Args:
        features: csr matrix float32 (documents, num_features), such as TF-IDF rows.
        label_matrix: sparse matrix (documents, labels), ones where a label applies.
        negatives: function of a label id that returns the ids of its negative
            documents, such as `NegativeDocuments`; or None for all other documents,
            which is faster where `are_few` says so.
        c: float. Weight of the loss against the norm of the weights. Defaults to `1.0`.
        least: float. Minimum change of the logit by a weight that is kept: its size
            times the mean weight of the word in the documents that have it. Defaults
            to `0.015`.
        sample_weight: optional float array (documents,), above 0. Factors of `c`.

    Returns:
        `(rows, bias)`: csr matrix float32 (labels, num_features) and float32 array
        (labels,). A document `x` has the margin `rows @ x + bias`, about 1 for labels
        that apply and -1 for others. A label without documents has an empty row and the
        bias -1; one of all documents, the bias 1.

    Example:

    >>> features = scipy.sparse.csr_matrix(np.eye(4, dtype="float32")[[0, 0, 1, 2, 3]])
    >>> labels = np.array([[1, 0], [1, 0], [0, 0], [0, 0], [0, 0]])
    >>> rows, bias = fit_one_vs_all(features, labels, lambda label: [2, 3, 4])
    >>> margins = (features @ rows.T).toarray() + bias
    >>> (margins[:, 0] > 0).tolist(), margins[:, 1].tolist()
    ([True, True, False, False, False], [-1.0, -1.0, -1.0, -1.0, -1.0])

    Reference:
        [LIBLINEAR](https://www.jmlr.org/papers/v9/fan08a.html);
        [DiSMEC](https://arxiv.org/abs/1609.02521).
    """
    features = scipy.sparse.csr_matrix(features)
    columns = scipy.sparse.csc_matrix(label_matrix)
    num_documents, num_labels = columns.shape
    if negatives is None:
        solve = _solve_together(features, columns, c, sample_weight)
    else:
        solve = _solve_one_by_one(features, columns, negatives, c, sample_weight)
    means = mean_weights(features)
    counts = np.diff(columns.indptr)
    bias = np.where(counts == num_documents, 1, -1).astype(np.float32)
    found = [(np.zeros(0, np.int32), np.zeros(0, np.float32))] * num_labels
    for label, used, weights, own_bias in solve:
        kept = np.abs(weights) * means[used] >= least
        found[label] = used[kept].astype(np.int32), weights[kept].astype(np.float32)
        bias[label] = own_bias
    arrays = (
        np.concatenate([weights for _, weights in found]),
        np.concatenate([ids for ids, _ in found]),
        np.concatenate([[0], np.cumsum([len(ids) for ids, _ in found])]),
    )
    rows = scipy.sparse.csr_matrix(arrays, (num_labels, features.shape[1]))
    return rows, bias


def are_few(num_documents, num_labels):
    """Whether documents are few enough to solve all labels together, a bool.

    Example:

    >>> are_few(750, 3000), are_few(40_000, 3000)
    (True, False)
    """
    products = num_documents**2 * num_labels
    return num_documents <= FEW_DOCUMENTS and products <= FEW_PRODUCTS


def mean_weights(features):
    """Mean absolute weight of each feature in the documents that have it.

    Args:
        features: csr matrix (documents, num_features).

    Returns:
        float array (num_features,), 0 for features that no document has.

    Example:

    >>> mean_weights(scipy.sparse.csr_matrix([[0.25, 0.0], [0.5, 0.0]])).tolist()
    [0.375, 0.0]
    """
    sums = np.asarray(abs(features).sum(axis=0)).ravel()
    present = np.bincount(features.indices, minlength=features.shape[1])
    return sums / np.maximum(present, 1)


def _solve_together(features, columns, c, sample_weight):
    """Yields `(label, features, weights, bias)` of the labels with documents.

    A squared hinge loss is a squared loss whose targets may lie beyond the margin:
    `max(0, 1 - y f)^2 = min (f - t)^2` over targets `t` with `y t >= 1`. Given targets,
    the best predictions `f` of all labels are one product with the matrix of a ridge
    regression; given predictions, the best targets are `y max(1, y f)`. These two steps
    alternate, with Nesterov's momentum.
    """
    num_documents = columns.shape[0]
    counts = np.diff(columns.indptr)
    labels = np.flatnonzero((counts > 0) & (counts < num_documents))
    kernel = (features @ features.T).toarray().astype(np.float64) + 1  # 1 for the bias
    costs = np.full(num_documents, c) if sample_weight is None else c * sample_weight
    ridge = 1 / (2 * costs)  # the diagonal of a matrix
    inverse = np.linalg.inv(kernel + np.diag(ridge))
    smooth = np.eye(num_documents) - ridge[:, None] * inverse
    smooth = smooth.astype(np.float32)
    inverse = inverse.astype(np.float32)
    by_feature = features.T.tocsr()
    everything = np.arange(features.shape[1])
    for start in range(0, len(labels), BLOCK):
        block = labels[start : start + BLOCK]
        signs = np.where(columns[:, block].toarray() > 0, 1, -1).astype(np.float32)
        ahead = targets = signs  # (documents, block)
        momentum = 1.0
        for _ in range(ROUNDS):
            before = targets
            targets = signs * np.maximum(1, signs * (smooth @ ahead))
            step = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead = targets + np.float32((momentum - 1) / step) * (targets - before)
            momentum = step
        duals = inverse @ targets
        weights, bias = (by_feature @ duals).T, duals.sum(axis=0)
        for row, label in enumerate(block):
            yield label, everything, weights[row], bias[row]


def _solve_one_by_one(features, columns, negatives, c, sample_weight):
    """Yields what `_solve_together` yields, from liblinear, which uses all cores."""
    # It computes in float64, and would convert the rows of each label again.
    features = features.astype(np.float64)
    num_features = features.shape[1]
    everything = np.arange(num_features)
    local = threading.local()

    def solve(label):
        positives = columns.indices[columns.indptr[label] : columns.indptr[label + 1]]
        rows = np.concatenate([positives, negatives(label)]).astype(np.int64)
        if not 0 < len(positives) < len(rows):
            return None
        if not hasattr(local, "svm"):
            # The dual solver draws from one generator for all threads, so that no two
            # trainings would be equal.
            local.svm = LinearSVC(C=c, tol=0.02, max_iter=50, dual=False)
            local.places = np.zeros(num_features, np.int32)
            local.seen = np.zeros(num_features, bool)
        part, used = features[rows], everything
        if 8 * len(rows) < num_features:  # few words: leave the others out
            local.seen[part.indices] = True
            used = np.flatnonzero(local.seen)
            local.seen[used] = False
            local.places[used] = np.arange(len(used))
            arrays = part.data, local.places[part.indices], part.indptr
            part = scipy.sparse.csr_matrix(arrays, (len(rows), len(used)))
        # Checks of arguments take a fifth of the time; each thread has its context.
        weights = None if sample_weight is None else sample_weight[rows]
        with config_context(assume_finite=True, skip_parameter_validation=True):
            svm = local.svm.fit(part, np.arange(len(rows)) < len(positives), weights)
        return label, used, svm.coef_[0], svm.intercept_[0]

    # The largest first, or one thread would end with them alone.
    order = np.argsort(-np.diff(columns.indptr), kind="stable")
    # With threads of its own, BLAS in each of these takes ten times as long.
    with (
        threadpool_limits(1),
        warnings.catch_warnings(),
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        # A solution that is not quite exact generalises as well.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for start in range(0, len(order), BLOCK):
            block = pool.map(solve, order[start : start + BLOCK])
            yield from (solved for solved in block if solved is not None)
