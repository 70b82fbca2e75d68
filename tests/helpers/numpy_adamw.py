"""AdamW in NumPy, the oracle of the optimizers."""

import numpy as np


class NumpyAdamW:
    """Algorithm 2 of https://arxiv.org/abs/1711.05101 for one weight, in float64.

    Args:
        weight: array, copied.
        decay: float. Decoupled weight decay.
        factor: float. Factor on the learning rate.
        rowwise: bool. Whether only touched rows and their moments are updated.
    """

    def __init__(self, weight, decay=0.0, factor=1.0, rowwise=False):
        self.weight = np.array(weight, "float64")
        self.m, self.v = np.zeros_like(self.weight), np.zeros_like(self.weight)
        self.decay, self.factor, self.rowwise = decay, factor, rowwise
        self.steps = 0

    def step(self, gradient, rate, touched=()):
        rows = sorted(set(touched)) if self.rowwise else slice(None)
        rate, g = rate * self.factor, gradient[rows]
        self.steps += 1
        self.weight[rows] -= rate * self.decay * self.weight[rows]
        self.m[rows] = 0.9 * self.m[rows] + 0.1 * g
        self.v[rows] = 0.999 * self.v[rows] + 0.001 * g**2
        m = self.m[rows] / (1 - 0.9**self.steps)
        v = self.v[rows] / (1 - 0.999**self.steps)
        # Keras uses the form at the end of section 2 of the Adam paper: epsilon grows
        # with the correction of v.
        epsilon = 1e-7 / np.sqrt(1 - 0.999**self.steps)
        self.weight[rows] -= rate * m / (np.sqrt(v) + epsilon)
