"""Changes of the rows of labels that make a model right on some documents."""

import numpy as np
import scipy.sparse

from xmc_keras.labels.row_prior import solve_logistic

# How much a change may cost other documents. Chosen on a LightXML of Debian-24K, with
# 1,000 documents on which it was wrong: from 50 to 30 it is right on 46 to 65 % of them
# afterwards, and loses 0 to 0.17 of P@5 on other documents.
STRENGTH = 40.0
# Documents that count for a label. The corrections are the documents that a model finds
# hard: with all of them, a frequent label would score lower everywhere, which costs 1.2
# of P@5.
MOST = 4
SHRINKAGE = 1e-2  # share of an isotropic part in the second moment of features
BLOCK = 256  # labels solved at a time


class RowCorrections:
    """The least changes of rows, by what they cost old documents.

    To make a model right on a few documents, a step of a gradient changes its answers
    to all. Here the change of a row is measured by the mean square of what it adds to
    the logits of old documents: that is its square in the metric of their second
    moment. So rows change along directions that the corrections have and few others,
    and what an old document is answered stays.

    Args:
        features: float array (documents, dim) of old documents; the more the better,
            at least a few times `dim`.

    Example:

    >>> random = np.random.default_rng(0)
    >>> old = random.normal(size=(500, 8)) * [9, 9, 9, 9, 1, 1, 1, 1]
    >>> wrong = np.ones((1, 8))
    >>> one = scipy.sparse.csr_matrix([[1.0]])
    >>> change = RowCorrections(old).fit(wrong, one, one, lambda i, j: -2.0, 1.0)
    >>> bool(wrong[0] @ change[0] > 1), bool(np.std(old @ change[0]) < 1)
    (True, True)

    Reference: replay as a penalty on changed outputs, as in
        [Learning without Forgetting](https://arxiv.org/abs/1606.09282).
    """

    def __init__(self, features):
        features = np.asarray(features, np.float64)
        dim = features.shape[1]
        moment = features.T @ features / len(features)
        moment += SHRINKAGE * np.trace(moment) / dim * np.eye(dim)
        values, vectors = np.linalg.eigh(moment)
        values = np.maximum(values, 1e-12 * max(values[-1], 1e-12))
        self.directions = vectors / np.sqrt(values)  # (dim, dim)

    def fit(self, features, targets, weights, logits, strength=STRENGTH, most=MOST):
        """Changes of rows (labels, dim) float32.

        Args:
            features: float array (documents, dim) of the corrections.
            targets: csr matrix (documents, labels), ones where a label applies.
            weights: csr matrix (documents, labels). Weights of the losses.
            logits: function of document and label places, int arrays, that returns the
                logits before (documents, labels).
            strength: float. Weight of the cost.
            most: int. Sum of the weights of a label, at most.
        """
        found = fit_changes(
            features @ self.directions, targets, weights, logits, strength, most
        )
        return (found @ self.directions.T).astype(np.float32)


def fit_changes(features, targets, weights, logits, strength=STRENGTH, most=MOST):
    """Changes of rows for features whose second moment is the identity.

    For arguments and result see `RowCorrections.fit`.
    """
    features = np.asarray(features, np.float32)
    targets = scipy.sparse.csc_matrix(targets)
    weights = limit_weights(weights, weights, most)
    found = np.zeros((targets.shape[1], features.shape[1]), np.float32)
    for start in range(0, len(found), BLOCK):
        labels = np.arange(start, min(start + BLOCK, len(found)))
        own = weights[:, labels]
        documents = np.unique(own.indices)
        if not len(documents):
            continue
        own = own.tocsr()[documents].toarray().astype(np.float32)
        found[labels] = solve_logistic(
            features[documents],
            targets[:, labels].tocsr()[documents].toarray().astype(np.float32),
            own,
            np.broadcast_to(
                np.asarray(logits(documents, labels), np.float32), own.shape
            ),
            strength,
        )
    return found


def limit_weights(weights, counted, most):
    """Scales the weights of labels of which more than `most` are counted.

    Args:
        weights, counted: sparse matrices (documents, labels).
        most: int.

    Returns:
        csc matrix (documents, labels) float32.

    Example:

    >>> limit_weights(np.ones((4, 1)), np.ones((4, 1)), 2).toarray().ravel().tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    sums = np.asarray(scipy.sparse.csc_matrix(counted).sum(axis=0)).ravel()
    shares = np.minimum(1, most / np.maximum(sums, 1)).astype(np.float32)
    scaled = scipy.sparse.csc_matrix(weights) @ scipy.sparse.diags_array(shares)
    return scaled.tocsc().astype(np.float32)
