"""A transformer layer of XLNet."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="xmc_keras")
class XLNetLayer(keras.layers.Layer):
    """Attention with relative positions, and a feed-forward part.

    A token attends to another by content, by distance, and by whether both belong to
    the same segment. The document is one segment and <cls> a segment of its own, as in
    pretraining. Only the content stream is here: the query stream serves pretraining.

    Args:
        num_heads, intermediate_dim: int.
        dropout: float. Dropout rate of the attention weights and of the outputs of
            both parts. Defaults to `0.1`.
        activation: string. Activation of the feed-forward part. Defaults to `"gelu"`.
        **kwargs: other arguments of `keras.layers.Layer`.

    Call arguments:
        states: float tensor (batch, tokens, dim).
        positions: float tensor (2 * tokens, dim). Encoded distances, see
            `RelativePositions`.
        padding_mask: int or bool tensor (batch, tokens).
        cls: float tensor (batch, tokens), 1 at <cls>, see `LastToken`.

    Returns:
        float tensor (batch, tokens, dim). The states at padding are undefined.

    Example:

    >>> import numpy as np
    >>> states, positions = np.ones((1, 3, 4)), np.ones((6, 4))
    >>> layer = XLNetLayer(num_heads=2, intermediate_dim=8)
    >>> layer(states, positions=positions, padding_mask=[[1, 1, 1]],
    ...       cls=[[0.0, 0.0, 1.0]]).shape
    TensorShape([1, 3, 4])

    Reference:
        [XLNet](https://arxiv.org/abs/1906.08237), appendix A.2, and `XLNetLayer` of
        huggingface/transformers.
    """

    def __init__(
        self, num_heads, intermediate_dim, dropout=0.1, activation="gelu", **kwargs
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.activation = keras.activations.get(activation)

    def build(self, states_shape):
        dim = states_shape[-1]
        if dim % self.num_heads:
            raise ValueError(
                "Expected the width of states to be a multiple of `num_heads`. "
                f"Received: {dim} and num_heads={self.num_heads}"
            )
        by_heads = (self.num_heads, dim // self.num_heads)
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)

        def weight(name, shape, initializer=initializer):
            return self.add_weight(shape=shape, initializer=initializer, name=name)

        self.query = weight("query_kernel", (dim, *by_heads))
        self.key = weight("key_kernel", (dim, *by_heads))
        self.value = weight("value_kernel", (dim, *by_heads))
        self.position = weight("position_kernel", (dim, *by_heads))
        self.output_kernel = weight("output_kernel", (dim, *by_heads))
        self.content_bias = weight("content_bias", by_heads, "zeros")
        self.position_bias = weight("position_bias", by_heads, "zeros")
        self.segment_bias = weight("segment_bias", by_heads, "zeros")
        self.segments = weight("segments", (2, *by_heads))  # same segment, another

        def layer(layer_class, *args, name, shape=states_shape, **kwargs):
            layer = layer_class(*args, dtype=self.dtype_policy, name=name, **kwargs)
            layer.build(shape)
            return layer

        layers = keras.layers
        self.dropout_layer = layer(layers.Dropout, self.dropout, name="dropout")
        dense = {"kernel_initializer": initializer}
        norm = {"epsilon": 1e-12}
        self.attention_norm = layer(
            layers.LayerNormalization, name="attention_norm", **norm
        )
        self.intermediate = layer(
            layers.Dense, self.intermediate_dim, name="intermediate", **dense
        )
        wide = (*states_shape[:-1], self.intermediate_dim)
        self.narrow = layer(layers.Dense, dim, name="narrow", shape=wide, **dense)
        self.feedforward_norm = layer(
            layers.LayerNormalization, name="feedforward_norm", **norm
        )
        self.built = True

    def call(self, states, positions, padding_mask, cls, training=None):
        drop = self.dropout_layer
        context = self._context(states, positions, padding_mask, cls, training)
        states = self.attention_norm(states + drop(context, training=training))
        hidden = self.activation(self.intermediate(states))
        hidden = self.narrow(drop(hidden, training=training))
        return self.feedforward_norm(states + drop(hidden, training=training))

    def _context(self, states, positions, padding_mask, cls, training):
        query = ops.einsum("bih,hnd->bind", states, self.query)
        key = ops.einsum("bjh,hnd->bjnd", states, self.key)
        value = ops.einsum("bjh,hnd->bjnd", states, self.value)
        position = ops.einsum("rh,hnd->rnd", positions, self.position)

        scores = ops.einsum("bind,bjnd->bnij", query + self.content_bias, key)
        by_distance = ops.einsum("bind,rnd->bnir", query + self.position_bias, position)
        scores += shift_to_distances(by_distance)
        same, other = ops.unstack(
            ops.einsum("bind,snd->sbni", query + self.segment_bias, self.segments), 2
        )
        cls = ops.cast(cls, scores.dtype)[:, None]  # (batch, 1, tokens)
        differs = ops.absolute(cls[..., None] - cls[:, :, None, :])
        scores += same[..., None] + (other - same)[..., None] * differs

        # The score of padding overflows in float16, and sums lose digits in bfloat16.
        scores = ops.cast(scores, "float32") / math.sqrt(query.shape[-1])
        real = ops.cast(padding_mask, "float32")[:, None, None, :]
        weights = ops.softmax(scores - (1 - real) * 1e9)
        weights = ops.cast(weights, value.dtype)  # (batch, heads, tokens, tokens)
        weights = self.dropout_layer(weights, training=training)
        context = ops.einsum("bnij,bjnd->bind", weights, value)
        return ops.einsum("bind,hnd->bih", context, self.output_kernel)

    def compute_output_shape(self, states_shape):
        return states_shape

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "num_heads": self.num_heads,
                "intermediate_dim": self.intermediate_dim,
                "dropout": self.dropout,
                "activation": keras.activations.serialize(self.activation),
            }
        )
        return config


def shift_to_distances(scores):
    """Turns scores by distance, tokens to -tokens + 1, into scores of token pairs.

    Args:
        scores: tensor (batch, heads, tokens, 2 * tokens). At [i, r] the score of token
            i and distance tokens - r.

    Returns:
        Tensor (batch, heads, tokens, tokens). At [i, j] the score of distance i - j.

    Example:

    >>> by_distance = ops.convert_to_tensor([[[[2, 1, 0, -1], [2, 1, 0, -1]]]])
    >>> shift_to_distances(by_distance)[0, 0]
    <tf.Tensor: ... array([[ 0, -1], [ 1, 0]]...
    """
    # Without the first `tokens` numbers and with rows one shorter, each row starts one
    # place further on.
    batch, heads, tokens = ops.shape(scores)[:3]
    scores = ops.reshape(scores, (batch, heads, 2 * tokens, tokens))[:, :, 1:]
    scores = ops.reshape(scores, (batch, heads, tokens, 2 * tokens - 1))
    return scores[..., :tokens]
