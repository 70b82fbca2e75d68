"""Logistic regression by band, against its loss and scikit-learn."""

import numpy as np
import scipy.optimize
import scipy.sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from xmc_keras.labels.label_bands import BANDS
from xmc_keras.recommending.calibration import fit_band_weights as module
from xmc_keras.recommending.calibration.fit_band_weights import fit_band_weights

COUNT = len(BANDS) + 1


def random_pairs(seed=0, size=4000, weights=((1.5, 0.5, -2.0),) * COUNT):
    """Logits of two members, targets drawn by weights of each band, and bands."""
    rng = np.random.default_rng(seed)
    logits, bands = rng.normal(size=(size, 2)), rng.integers(0, COUNT, size)
    chosen = np.array(weights)[bands]
    odds = np.sum(logits * chosen[:, :-1], axis=1) + chosen[:, -1]
    return logits, rng.random(size) < expit(odds), bands


def loss_of(parameters, logits, targets, bands, prior):
    """Log loss and log priors, one pair at a time."""
    shared, own = parameters[0], parameters[1:]
    total = np.sum((shared - prior) ** 2) / module.SPREAD**2 / 2
    total += np.sum(own**2) / module.BAND_SPREAD**2 / 2
    for row, target, band in zip(logits, targets, bands):
        weights = shared + own[band]
        chance = expit(row @ weights[:-1] + weights[-1])
        total -= np.log(chance if target else 1 - chance)
    return total


def test_the_least_loss():
    """No step in any direction, of the weights of bands or of all, is better."""
    rng = np.random.default_rng(0)
    logits, targets, bands = random_pairs(size=60)
    prior = np.array([0.4, 0.5, -1.0])
    found = fit_band_weights(logits, targets, bands, prior)
    assert found.shape == (COUNT, 3) and (found[:, :-1] >= 0).all()
    # Of all pairs of shared weights and those of bands with these sums, the best.
    s, b = module.SPREAD**-2, module.BAND_SPREAD**-2
    shared = (s * prior + b * found.sum(axis=0)) / (s + b * COUNT)
    best = np.concatenate([shared[None], found - shared])
    arguments = logits, targets, bands, prior
    least = loss_of(best, *arguments)
    for _ in range(40):
        step = rng.normal(size=best.shape) * rng.choice([1e-3, 1e-2, 0.1])
        assert loss_of(best + step, *arguments) >= least - 1e-6
    # And the slope is zero, by differences.
    slopes = scipy.optimize.approx_fprime(
        best.ravel(), lambda p: loss_of(p.reshape(best.shape), *arguments), 1e-6
    )
    np.testing.assert_allclose(slopes, 0, atol=0.05)


def test_logistic_regression_with_weak_priors(monkeypatch):
    """One for each band, if the bands share nothing."""
    monkeypatch.setattr(module, "BAND_SPREAD", 1e3)
    weights = [(1.5, 0.5, -2.0), (0.5, 2.0, 0.0), (1, 1, 1), (3, 0.2, -1), (1, 1, -1)]
    logits, targets, bands = random_pairs(weights=weights)
    found = fit_band_weights(logits, targets, bands, np.zeros(3))
    for band in range(COUNT):
        own = bands == band
        model = LogisticRegression(C=1e8).fit(logits[own], targets[own])
        expected = [*model.coef_[0], model.intercept_[0]]
        np.testing.assert_allclose(found[band], expected, 0.01, 0.01)


def test_strong_priors_and_few_pairs(monkeypatch):
    logits, targets, bands = random_pairs(size=500)
    prior = np.array([0.4, 0.5, -1.0])
    whole = fit_band_weights(logits, targets, bands, prior)
    # A band without pairs has the weights of all bands, by their prior.
    some = bands != 2
    found = fit_band_weights(logits[some], targets[some], bands[some], prior)
    others = np.delete(found, 2, axis=0)
    assert (others.min(axis=0) <= found[2]).all() and (
        found[2] <= others.max(axis=0)
    ).all()
    # Two pairs change little.
    few = fit_band_weights(logits[:2], targets[:2], bands[:2], prior)
    assert np.abs(few - prior).max() < np.abs(whole - prior).max() / 2
    monkeypatch.setattr(module, "SPREAD", 1e-4)
    monkeypatch.setattr(module, "BAND_SPREAD", 1e-4)
    found = fit_band_weights(logits, targets, bands, prior)
    np.testing.assert_allclose(found, np.tile(prior, (COUNT, 1)), atol=1e-3)


def test_no_weight_is_negative():
    logits, _, bands = random_pairs()
    found = fit_band_weights(logits, logits[:, 1] < 0, bands, np.zeros(3))
    assert (found[:, 1] == 0).all() and (found[:, 0] >= 0).all()
