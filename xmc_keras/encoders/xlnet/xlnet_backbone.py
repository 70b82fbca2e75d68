"""The XLNet backbone."""

import keras
import keras_nlp
import numpy as np
from keras import ops

from xmc_keras.encoders.pooling import LastToken
from xmc_keras.encoders.xlnet.xlnet_layer import XLNetLayer


@keras.saving.register_keras_serializable(package="xmc_keras")
class XLNetBackbone(keras_nlp.models.Backbone):
    """XLNet, as a keras-nlp backbone with `transformer_layers`.

    keras-nlp 0.32 also has an `XLNetBackbone`, but it reshapes where it should
    transpose: in a batch, padding and positions of one document end up in another.

    The inputs are `token_ids` (batch, tokens) int32 and `padding_mask` (batch, tokens)
    int32; the output is (batch, tokens, hidden_dim). <cls> is the last token that is
    not padding. Padding may be on either side and texts of any length, because
    positions are relative.

    Args:
        vocabulary_size, num_layers, num_heads, hidden_dim, intermediate_dim: int.
        dropout: float. Dropout rate. Defaults to `0.1`.
        activation: string. Activation of the feed-forward parts. Defaults to `"gelu"`.
        dtype: optional dtype policy.
        **kwargs: other arguments of `keras.Model`.

    Example:

    >>> backbone = XLNetBackbone(
    ...     vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=4,
    ...     intermediate_dim=8)
    >>> document = np.array([[7, 9, 4, 3]])
    >>> backbone({"token_ids": document, "padding_mask": document > 0}).shape
    TensorShape([1, 4, 4])

    Reference: [XLNet](https://arxiv.org/abs/1906.08237).
    """

    cls_index = -1

    def __init__(
        self,
        vocabulary_size,
        num_layers,
        num_heads,
        hidden_dim,
        intermediate_dim,
        dropout=0.1,
        activation="gelu",
        dtype=None,
        **kwargs,
    ):
        token_embedding = keras.layers.Embedding(
            vocabulary_size,
            hidden_dim,
            embeddings_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=dtype,
            name="token_embedding",
        )
        drop = keras.layers.Dropout(dropout, dtype=dtype, name="embeddings_dropout")
        transformer_layers = [
            XLNetLayer(
                num_heads,
                intermediate_dim,
                dropout,
                activation,
                dtype=dtype,
                name=f"transformer_layer_{i}",
            )
            for i in range(num_layers)
        ]
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("token_ids", "padding_mask")
        }
        padding_mask = inputs["padding_mask"]
        states = token_embedding(inputs["token_ids"])
        positions = RelativePositions(dtype=dtype, name="positions")(states)
        states, positions = drop(states), drop(positions)
        cls = LastToken(dtype=dtype, name="cls")(padding_mask)
        for layer in transformer_layers:
            states = layer(
                states, positions=positions, padding_mask=padding_mask, cls=cls
            )
        super().__init__(inputs=inputs, outputs=states, dtype=dtype, **kwargs)
        self.token_embedding = token_embedding
        self.transformer_layers = transformer_layers
        self.sizes = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "intermediate_dim": intermediate_dim,
            "dropout": dropout,
            "activation": activation,
        }

    def get_config(self):
        return {**super().get_config(), **self.sizes}


@keras.saving.register_keras_serializable(package="xmc_keras")
class RelativePositions(keras.layers.Layer):
    """Sinusoidal encoding of the distances tokens, tokens - 1, ..., -tokens + 1.

    Maps states (batch, tokens, dim) to encodings (2 * tokens, dim).
    """

    def call(self, states):
        tokens, dim = ops.shape(states)[1], states.shape[-1]
        rates = (10_000 ** -(np.arange(0, dim, 2) / dim)).astype("float32")
        # In float32, because bfloat16 has no odd integers above 256.
        distances = ops.cast(tokens - ops.arange(2 * tokens), "float32")
        angles = distances[:, None] * rates
        encoded = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        return ops.cast(encoded, self.compute_dtype)

    def compute_output_shape(self, states_shape):
        tokens = states_shape[1]
        return (None if tokens is None else 2 * tokens, states_shape[2])
