"""A square dense layer of spectral norm one."""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="xmc_keras")
class SpectralDense(keras.layers.Layer):
    """Dense layer `x R / sigma + b`, where `sigma` is the spectral norm of `R`.

    `R` (dim, dim) starts as the identity. `sigma` is its largest singular value,
    estimated by one step of power iteration per training step; the gradient flows
    through `sigma` as well as through `R`. So the map never stretches its input,
    whatever `R` becomes.

    Args:
        dim: int. Width of input and output.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> layer = SpectralDense(3)
    >>> layer(np.array([[1.0, 2.0, 3.0]], "float32")).numpy().round(4).tolist()
    [[1.0, 2.0, 3.0]]

    Reference:
        [Spectral Normalization](https://arxiv.org/abs/1802.05957), algorithm 1.
    """

    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        if dim < 1:
            raise ValueError(f"Expected `dim` to be positive. Received: dim={dim}")
        self.dim = dim

    def build(self, x_shape):
        shape = (self.dim, self.dim)
        self.kernel = self.add_weight(
            shape, initializer="identity", autocast=False, name="kernel"
        )
        self.bias = self.add_weight((self.dim,), initializer="zeros", name="bias")
        # Estimate of the left singular vector, better with every training step.
        self.direction = self.add_weight(
            (1, self.dim),
            initializer="random_normal",
            trainable=False,
            autocast=False,
            name="direction",
        )
        self.built = True

    def call(self, x, training=None):
        kernel = ops.convert_to_tensor(self.kernel)
        direction = normalize_vector(ops.convert_to_tensor(self.direction))  # (1, dim)
        if training:
            value = tf.stop_gradient(kernel)
            right = normalize_vector(ops.matmul(direction, value))
            direction = normalize_vector(ops.matmul(right, ops.transpose(value)))
            self.direction.assign(direction)
        # One more half step: with the left vector u, |u R| = u R v, whose gradient is
        # the outer product of u and v.
        sigma = ops.norm(ops.matmul(tf.stop_gradient(direction), kernel))
        kernel = ops.cast(kernel / ops.maximum(sigma, 1e-12), self.compute_dtype)
        return ops.matmul(x, kernel) + ops.cast(self.bias, self.compute_dtype)

    def compute_output_shape(self, x_shape):
        return (*x_shape[:-1], self.dim)

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}


def normalize_vector(row):
    """Divides a vector by its norm."""
    return row / ops.maximum(ops.norm(row), 1e-12)
