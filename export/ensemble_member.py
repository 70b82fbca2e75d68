"""One model of those that a ServingModule asks."""

import tensorflow as tf
from stored_ranker import StoredRanker

from xmc_keras.lightxml import LightXML
from xmc_keras.text_tokenizer import TextTokenizer


class EnsembleMember:
    """A model of an ensemble, with its weights stored as asked.

    Not a trackable object: the module saves `weights`, and nothing else of it.

    Args:
        model: a built `LightXML` that computes in float32.
        table, dense: as of `ServingModule`.
    """

    def __init__(self, model, table, dense):
        self.text_tokenizer = TextTokenizer(model.tokenizer, model.max_tokens)
        self.feature_dim = model.encoder.feature_dim
        if model.ranker is not None and table != "float32":
            model = LightXML(
                model.encoder,
                model.generator,
                StoredRanker.of(model.ranker, table),
                num_predictions=model.num_predictions,
            )
        self._model = model
        dense_weights = model.encoder.weights + model.generator.weights
        table_weights = []
        if model.ranker is not None:
            dense_weights += model.ranker.bottleneck.weights
            dense_ids = set(map(id, dense_weights))
            table_weights = [w for w in model.ranker.weights if id(w) not in dense_ids]
        self.weights = [w.value for w in table_weights]  # tf.Variables to save
        self.halves = []  # (Keras variable, its float16 form)
        for weight in dense_weights:
            variable = weight.value
            if dense == "float16" and weight.dtype == "float32":
                variable = tf.Variable(tf.cast(variable, dense), trainable=False)
                self.halves.append((weight, variable))
            self.weights.append(variable)

    def inputs(self, token_ids, rows):
        """The encoder's input for some documents, padded to their longest."""
        ids = tf.gather(token_ids, rows)
        mask = tf.sequence_mask(ids.row_lengths())
        ids = ids.to_tensor(self.text_tokenizer.pad_id)  # (block, tokens)
        return {"token_ids": ids, "padding_mask": mask}

    def features(self, inputs):
        return self._model.encoder(inputs, training=False)

    def rank(self, features):
        outputs = self._model.rank(features)
        return outputs["label_ids"], outputs["scores"]

    def label_scores(self, features, label_ids):
        return self._model.label_scores(features, label_ids)
