"""Logistic regression on logits, for each band of labels."""

import numpy as np
import scipy.optimize
from scipy.special import expit

from xmc_keras.labels.label_bands import BANDS

# Standard deviations of the prior: of the weights of all labels, and of what a band's
# differ by. A few hundred validation labels outweigh the first.
SPREAD, BAND_SPREAD = 1.0, 0.2


def fit_band_weights(logits, targets, bands, prior, least=0.0):
    """Fits the weights of logits: a logistic regression per band of labels.

    The bands share most of their weights: the weights of all bands have a Gaussian
    prior around `prior`, and those of a band around the weights of all. So little
    validation data changes little, and the weighted sums of logits are log odds.

    Args:
        logits: float array (pairs, n), such as those of the members of a model.
        targets: bool array (pairs,). Whether the label of a pair applies.
        bands: int array (pairs,), see `find_bands`.
        prior: array (n + 1,). Weights, and the bias.
        least: float or array (n,). Least weights. Defaults to `0.0`.

    Returns:
        float64 array (bands, n + 1), weights and bias of each band.

    Example:

    >>> logits = np.array([[2.0, 5.0], [-1.0, 5.0]] * 500)
    >>> weights = fit_band_weights(logits, logits[:, 0] > 0, np.zeros(1000, int),
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
    weights[:, :-1] = np.maximum(weights[:, :-1], least)
    return weights
