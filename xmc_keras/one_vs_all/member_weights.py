"""Weights that join the logits of several members of a model to one."""

import numpy as np
import scipy.optimize
from scipy.special import expit

# Weights of classifier, words of labels and linear model, and the bias: round means of
# those fitted on the validation splits of four data sets.
PRIOR = (0.4, 0.5, 2.5, -0.2)
# With a transformer, whose weight is the last but one.
PRIOR_WITH_TRANSFORMER = (0.2, 0.2, 1.5, 0.6, -0.1)
BANDS = (2, 5, 20, 100)  # training documents at which a next band of labels begins
CANDIDATES = 30  # best labels of each member that a document is judged by
# Standard deviations of the prior: of the weights of all labels, and of what a band's
# differ by. A few hundred validation labels outweigh the first.
SPREAD, BAND_SPREAD = 1.0, 0.2
SCORES = 2**24  # scores in memory at a time


def find_bands(counts):
    """Bands of labels, from 0 (rarest) to `len(BANDS)`, by their training documents.

    Example:

    >>> find_bands([0, 1, 2, 7, 500]).tolist()
    [0, 0, 1, 2, 4]
    """
    return np.digitize(counts, BANDS)


def collect_candidates(score_block, relevant, num_members, offered=None):
    """Logits of the best labels of each member for validation documents.

    Args:
        score_block: function of `(start, end)` that returns a list of float arrays (end
            - start, num_labels), the logits of each member.
        relevant: csr matrix (documents, num_labels), ones where a label applies.
        num_members: int.
        offered: optional int array (documents, n). Further labels of each document,
            `-1` pads.

    Returns:
        `(documents, labels, logits, targets)`: int arrays (pairs,), float64 (pairs,
        members), and bool (pairs,), whether the label applies to the document.
    """
    documents, num_labels = relevant.shape
    k = min(CANDIDATES, num_labels)
    block = 1 + SCORES // (num_members * num_labels)
    found = []
    for start in range(0, documents, block):
        end = min(start + block, documents)
        scores = score_block(start, end)
        chosen = np.zeros((end - start, num_labels), bool)
        for part in scores:
            best = np.argpartition(-part, k - 1, axis=1)[:, :k]
            np.put_along_axis(chosen, best, True, axis=1)
        if offered is not None:
            own = offered[start:end]
            chosen[np.nonzero(own >= 0)[0], own[own >= 0]] = True
        rows, labels = np.nonzero(chosen)
        logits = np.stack([part[rows, labels] for part in scores], axis=1)
        applies = relevant[start:end].toarray()[rows, labels] > 0
        found.append((start + rows, labels, logits.astype(np.float64), applies))
    return tuple(map(np.concatenate, zip(*found)))


def fit_member_weights(logits, targets, bands, prior):
    """Fits the weights that join members: a logistic regression per band of labels.

    The bands share most of their weights: the weights of all bands have a Gaussian
    prior around `prior`, and those of a band around the weights of all. So little
    validation data changes little, and the joined logits are log odds. No weight is
    negative.

    Args:
        logits: float array (pairs, members).
        targets: bool array (pairs,). Whether the label of a pair applies.
        bands: int array (pairs,), see `find_bands`.
        prior: array (members + 1,). Weights, and the bias.

    Returns:
        float64 array (bands, members + 1), weights and bias of each band.

    Example:

    >>> logits = np.array([[2.0, 5.0], [-1.0, 5.0]] * 500)
    >>> weights = fit_member_weights(logits, logits[:, 0] > 0, np.zeros(1000, int),
    ...     np.array([1.0, 0.0, 0.0]))
    >>> weights.shape, bool(weights[0, 0] > 1.5)
    ((5, 3), True)
    """
    prior = np.asarray(prior, np.float64)
    width, count = len(prior), len(BANDS) + 1
    x = np.concatenate([logits, np.ones((len(logits), 1))], axis=1)
    signs = np.where(targets, 1.0, -1.0)

    def loss(parameters):
        parameters = parameters.reshape(count + 1, width)
        shared, own = parameters[0], parameters[1:]
        weights = (shared + own)[bands]  # (pairs, width)
        margins = signs * np.sum(x * weights, axis=1)
        slopes = (-signs * expit(-margins))[:, None] * x
        gradient = np.zeros_like(parameters)
        for column in range(width):
            gradient[1:, column] = np.bincount(bands, slopes[:, column], count)
        gradient[0] = gradient[1:].sum(axis=0)
        gradient[0] += (shared - prior) / SPREAD**2
        gradient[1:] += own / BAND_SPREAD**2
        value = np.logaddexp(0, -margins).sum()
        value += np.sum((shared - prior) ** 2) / SPREAD**2 / 2
        value += np.sum(own**2) / BAND_SPREAD**2 / 2
        return value, gradient.ravel()

    start = np.concatenate([prior, np.zeros(count * width)])
    found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x
    found = found.reshape(count + 1, width)
    weights = found[0] + found[1:]
    weights[:, :-1] = np.maximum(weights[:, :-1], 0)
    return weights
