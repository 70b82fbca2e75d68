"""A LightXML in a ServingModule."""

import tensorflow as tf

from xmc_keras.files.bad_input import BadInput
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.serving.graph.stored_ranker import StoredRanker
from xmc_keras.serving.graph.token_reader import TokenReader


class EnsembleMember(TokenReader):
    """A `LightXML` of an ensemble, with its weights in given dtypes.

    Args:
        model: a built `LightXML` that computes in float32.
        table_dtype, dense_dtype: same as in `ServingModule`.

    Attributes:
        weights: list of `tf.Variable` to save.
        halves: list of pairs of a Keras variable and its float16 form.

    Raises:
        BadInput: the model does not support these dtypes.
    """

    def __init__(self, model, table_dtype, dense_dtype):
        super().__init__(model)
        if model.ranker is None and table_dtype == "int8":
            raise BadInput(
                "Expected float32 or float16: a model without ranker has no label "
                "table that is read by rows. Received: int8."
            )
        self.feature_dim = model.encoder.feature_dim
        if model.ranker is not None and table_dtype != "float32":
            calibration = model.calibration
            model = LightXML(
                model.encoder,
                model.generator,
                StoredRanker.of(model.ranker, table_dtype),
                score=model.score,
                num_predictions=model.num_predictions,
                levels=model.levels,
                level_dims=model.level_dims,
            )
            model.calibration = calibration
        self._model = model
        self.weights, self.halves = [], []
        self._store(model.encoder.weights, dense_dtype)
        if model.ranker is None:  # then the generator scores labels
            self._store(model.generator.weights, table_dtype)
        else:
            for part in (model.generator, *model.levels):
                self._store(part.weights, dense_dtype)
            bottleneck = model.ranker.bottleneck.weights
            self._store(bottleneck, dense_dtype)
            ids = set(map(id, bottleneck))
            # These have `table_dtype` already.
            self._store([w for w in model.ranker.weights if id(w) not in ids])

    def _store(self, weights, dtype="float32"):
        for weight in weights:
            variable = weight.value
            if dtype == "float16" and weight.dtype == "float32":
                variable = tf.Variable(tf.cast(variable, dtype), trainable=False)
                self.halves.append((weight, variable))
            self.weights.append(variable)

    def features(self, inputs):
        return self._model.encoder(inputs, training=False)

    # Input of `rank` and `label_scores`.
    encode = features

    def rank(self, features):
        outputs = self._model.rank(features)
        return outputs["predicted_ids"], outputs["scores"]

    def label_scores(self, features, label_ids):
        return self._model.score_labels(label_ids, features)
