"""Rows of new labels, from few documents and the rows of known labels."""

import numpy as np
import scipy.optimize

DIRECTIONS = 128  # in which rows differ, at most
# How much of an isotropic prior is mixed in: as much as this number of rows would say.
SHRINKAGE = 10
# Weight of the prior. Chosen on a LightXML of Debian-24K: with it, rows of 5 to 32
# documents rank as well as trained ones. Without old documents nothing but the prior
# keeps a new label low.
STRENGTH, STRENGTH_ALONE = 0.3, 1.0
ROUNDS = 30
BLOCK = 256  # labels solved at a time


class RowPrior:
    """Normal distribution of the rows of known labels, the prior of new rows.

    A row for a label of five documents cannot be learnt from these alone: it has more
    numbers than they have. But the rows of thousands of known labels, learnt by
    gradients from many documents, say what rows look like: how low they score a random
    document, and in which directions they differ. A new row is the most probable one
    under a normal distribution with their mean and covariance, given its documents: a
    logistic regression, a convex problem with one solution.

    Args:
        rows: float array (labels, dim). Rows of known labels, at least one.

    Example:

    >>> prior = RowPrior(np.array([[1.0, -1.0], [-1.0, -1.0], [0.5, -1.1]]))
    >>> features = np.array([[3.0, 1.0], [-3.0, 1.0]], "float32")
    >>> row = prior.fit_rows(features, [[1.0], [0.0]], np.ones((2, 1)), 0.0, 0.3)
    >>> logits = features @ row[0]
    >>> bool(logits[0] > 0 > logits[1])
    True

    Reference: empirical Bayes, as in Efron, "Large-Scale Inference", chapter 1.
    """

    def __init__(self, rows):
        rows = np.asarray(rows, np.float64)
        count, dim = rows.shape
        self.mean = rows.mean(axis=0)
        centred = rows - self.mean
        covariance = centred.T @ centred / count
        spread = max(np.trace(covariance) / dim, 1e-8)
        covariance = count * covariance + SHRINKAGE * spread * np.eye(dim)
        values, vectors = np.linalg.eigh(covariance / (count + SHRINKAGE))
        scales = np.sqrt(np.maximum(values, 0))
        self.directions = (vectors * scales)[:, -DIRECTIONS:]  # (dim, directions)

    def fit_rows(self, features, targets, weights, offsets, strength):
        """Fits a row for each new label.

        Args:
            features: float array (documents, dim).
            targets: array (documents, labels), 1 where a label applies, else 0.
            weights: float array (documents, labels) of the losses.
            offsets: float, or array (documents, labels). What is added to the logits,
                the products of features and rows.
            strength: float. Weight of the prior.

        Returns:
            float32 array (labels, dim).
        """
        targets, weights = np.asarray(targets), np.asarray(weights)
        offsets = np.broadcast_to(np.asarray(offsets, np.float32), targets.shape)
        x = (features @ self.directions).astype(np.float32)
        base = (features @ self.mean).astype(np.float32)[:, None]
        rows = np.empty((targets.shape[1], len(self.mean)), np.float32)
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            found = solve_logistic(
                x,
                targets[:, part].astype(np.float32),
                weights[:, part].astype(np.float32),
                base + offsets[:, part],
                strength,
            )
            rows[part] = self.mean + found @ self.directions.T
        return rows


def solve_logistic(x, targets, weights, offsets, strength):
    """Rows (labels, dim) of the least regularised logistic loss.

    Args:
        x: float32 array (documents, dim).
        targets, weights, offsets: float32 arrays (documents, labels), see
            `RowPrior.fit_rows`.
        strength: float. Factor of half the square of the rows.

    Example:

    >>> ones = np.ones((1, 1), "float32")
    >>> solve_logistic(ones, ones, ones, 0 * ones, 1.0).round(2).tolist()
    [[0.4]]
    """
    shape = targets.shape[1], x.shape[1]
    positive = weights * targets

    def loss(flat):
        coefficients = flat.reshape(shape).astype(np.float32)
        logits = x @ coefficients.T + offsets
        # `np.logaddexp` takes ten times as long.
        small = np.exp(-np.abs(logits))
        losses = weights * (np.maximum(logits, 0) + np.log(1 + small))
        value = float(losses.sum(dtype=np.float64))
        value -= float((positive * logits).sum(dtype=np.float64))
        value += strength / 2 * float(np.square(coefficients).sum(dtype=np.float64))
        probabilities = np.where(logits >= 0, 1, small) / (1 + small)
        gradient = (weights * probabilities - positive).T @ x + strength * coefficients
        return value, gradient.ravel().astype(np.float64)

    options = {"maxiter": ROUNDS, "maxcor": 6}
    start = np.zeros(shape[0] * shape[1])
    found = scipy.optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", options=options
    )
    return found.x.reshape(shape)
