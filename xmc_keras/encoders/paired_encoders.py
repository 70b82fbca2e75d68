"""Two encoders, one for the generator and one for the ranker."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="xmc_keras")
class PairedEncoders(keras.layers.Layer):
    """Concatenates the features of two encoders; `LightXML` splits them again.

    For the paper's static negatives with two representations: the first encoder is
    trained with the generator and then frozen by `begin_ranking`, while the ranker is
    trained with the second.

    Args:
        recall: layer. Maps the input dictionary to features (batch, dim) for the
            generator.
        ranking: layer of the same `dim`, for the ranker.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
    >>> encoder = PairedEncoders(*[SparseTextEncoder(3, dim=4) for _ in range(2)])
    >>> weights = np.array([[1.0]], "float32")
    >>> encoder({"token_ids": np.array([[2]]), "token_weights": weights}).shape
    TensorShape([1, 8])

    Reference:
        [LightXML](https://arxiv.org/abs/2101.03305), table 5.
    """

    def __init__(self, recall, ranking, **kwargs):
        super().__init__(**kwargs)
        self.recall = recall
        self.ranking = ranking

    @property
    def feature_dim(self):
        return self.recall.feature_dim + self.ranking.feature_dim

    def build(self, inputs_shape):
        for encoder in (self.recall, self.ranking):
            if not encoder.built:
                encoder.build(inputs_shape)
        self.built = True

    def begin_ranking(self):
        """Freezes the first encoder, and copies its weights to the second."""
        self.ranking.set_weights(self.recall.get_weights())
        self.recall.trainable = False

    def call(self, inputs, training=None):
        # A frozen encoder has no dropout either: its features stay the same.
        recall = self.recall(inputs, training=training and self.recall.trainable)
        ranking = self.ranking(inputs, training=training)
        return ops.concatenate([recall, ranking], axis=-1)  # (batch, 2 * dim)

    def compute_output_shape(self, inputs_shape):
        batch, dim = self.recall.compute_output_shape(inputs_shape)
        return batch, 2 * dim

    def get_config(self):
        config = super().get_config()
        for name in ("recall", "ranking"):
            encoder = getattr(self, name)
            config[name] = keras.saving.serialize_keras_object(encoder)
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("recall", "ranking"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)
