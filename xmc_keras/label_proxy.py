"""The map from a label's centroid to its embedding."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="xmc_keras")
class LabelProxy(keras.layers.Layer):
    """`f(c) = A2 (A1 c + b1) + b2`: one affine map, trained as two.

    Takes centroids (labels, dim), a label's mean over the features of its documents,
    and returns label embeddings of the same shape. There is no activation between
    the two parts; that the map is a product changes how it is learnt, not what it
    can be. It starts as the identity where `hidden_dim` is at least dim (published is
    a random start), so that training only has to better the centroids.
    `train_label_proxy` trains it.

    Args:
        hidden_dim: int. Width between the two parts. Defaults to `1000`.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> LabelProxy(hidden_dim=8)(np.ones((5, 3), "float32")).shape
    TensorShape([5, 3])

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Proxy training of
        label embeddings".
    """

    def __init__(self, hidden_dim=1000, **kwargs):
        super().__init__(**kwargs)
        if hidden_dim < 1:
            raise ValueError(
                "Expected `hidden_dim` to be positive. "
                f"Received: hidden_dim={hidden_dim}"
            )
        self.hidden_dim = hidden_dim
        self.inner = keras.layers.Dense(
            hidden_dim,
            kernel_initializer="orthogonal",
            dtype=self.dtype_policy,
            name="inner",
        )

    def build(self, centroids_shape):
        self.inner.build(centroids_shape)
        self.outer = keras.layers.Dense(
            centroids_shape[-1], dtype=self.dtype_policy, name="outer"
        )
        self.outer.build((*centroids_shape[:-1], self.hidden_dim))
        # The rows of an orthogonal kernel are orthonormal, so its transpose leads back.
        self.outer.kernel.assign(ops.transpose(self.inner.kernel))
        self.built = True

    def call(self, centroids):
        return self.outer(self.inner(centroids))

    def compute_output_shape(self, centroids_shape):
        return centroids_shape

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}
