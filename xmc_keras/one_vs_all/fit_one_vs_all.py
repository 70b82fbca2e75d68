"""Training of linear one-vs-all classifiers over words, by liblinear."""

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

# A weight is kept if it changes the logit of the mean document that has the word by so
# much. Debian-24K keeps half of the weights above 0.05, and reads a sixth of them per
# document, for the same P@k.
LEAST_CHANGE = 0.015


def fit_one_vs_all(features, label_matrix, negatives, c=1.0, least=LEAST_CHANGE):
    """Fits one linear classifier per label, an L2-regularised squared hinge loss.

    Each label learns from all its documents and from chosen negatives. Small weights
    are left out.

    Args:
        features: csr matrix float32 (documents, num_features), such as TF-IDF rows.
        label_matrix: sparse matrix (documents, labels), ones where a label applies.
        negatives: function of a label id that returns the ids of its negative
            documents, see `NegativeDocuments`.
        c: float. Weight of the loss against the norm of the weights. Defaults to `1.0`.
        least: float. Minimum change of the logit by a weight that is kept: its size
            times the mean weight of the word in the documents that have it. Defaults
            to `0.015`.

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
    # liblinear computes in float64, and would convert the rows of each label again.
    features = scipy.sparse.csr_matrix(features, dtype=np.float64)
    columns = scipy.sparse.csc_matrix(label_matrix)
    num_documents, num_features = features.shape
    counts = np.diff(columns.indptr)
    sums = np.asarray(abs(features).sum(axis=0)).ravel()
    present = np.bincount(features.indices, minlength=num_features)
    means = sums / np.maximum(present, 1)
    bias = np.where(counts == num_documents, 1, -1).astype(np.float32)
    found = [(np.zeros(0, np.int32), np.zeros(0, np.float32))] * len(counts)
    local = threading.local()

    def fit_label(label):
        positives = columns.indices[columns.indptr[label] : columns.indptr[label + 1]]
        rows = np.concatenate([positives, negatives(label)]).astype(np.int64)
        if not 0 < len(positives) < len(rows):
            return
        if not hasattr(local, "svm"):
            local.svm = LinearSVC(C=c, tol=0.1, max_iter=20, dual=True, random_state=0)
            local.places = np.zeros(num_features, np.int32)
        part, used = features[rows], np.arange(num_features)
        if 8 * len(rows) < num_features:  # few words: leave the others out
            used = np.unique(part.indices)
            local.places[used] = np.arange(len(used))
            arrays = part.data, local.places[part.indices], part.indptr
            part = scipy.sparse.csr_matrix(arrays, (len(rows), len(used)))
        svm = local.svm.fit(part, np.arange(len(rows)) < len(positives))
        weights = svm.coef_[0]
        kept = np.abs(weights) * means[used] >= least
        found[label] = used[kept].astype(np.int32), weights[kept].astype(np.float32)
        bias[label] = svm.intercept_[0]

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        # A rough solution, as other linear models of this kind, generalises as well.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # The largest first, or one thread would end with them alone.
        list(pool.map(fit_label, np.argsort(-counts, kind="stable")))
    lengths = [len(ids) for ids, _ in found]
    arrays = (
        np.concatenate([weights for _, weights in found]),
        np.concatenate([ids for ids, _ in found]),
        np.concatenate([[0], np.cumsum(lengths)]),
    )
    rows = scipy.sparse.csr_matrix(arrays, (len(counts), num_features))
    return rows, bias
