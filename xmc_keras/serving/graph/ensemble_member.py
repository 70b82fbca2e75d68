"""One LightXML of those that a ServingModule asks."""

import tensorflow as tf

from xmc_keras.bad_input import BadInput
from xmc_keras.evaluation.ensemble.member_scores import score_labels
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.serving.graph.stored_ranker import StoredRanker
from xmc_keras.text.text_tokenizer import TextTokenizer


class EnsembleMember:
    """A `LightXML` of an ensemble, with its weights stored as asked.

    Not a trackable object: the module saves `weights` and the tokenizer's
    `resources`, and nothing else of it.

    Args:
        model: a built `LightXML` that computes in float32.
        table, dense: as of `ServingModule`.

    Raises:
        BadInput: the model cannot be stored so.
    """

    def __init__(self, model, table, dense):
        self.text_tokenizer = TextTokenizer(model.tokenizer, model.max_tokens)
        if model.ranker is None and table == "int8":
            raise BadInput(
                "Expected float32 or float16: a model without ranker has no label "
                "table of which only rows are read. Received: int8."
            )
        self.feature_dim = model.encoder.feature_dim
        if model.ranker is not None and table != "float32":
            model = LightXML(
                model.encoder,
                model.generator,
                StoredRanker.of(model.ranker, table),
                score=model.score,
                num_predictions=model.num_predictions,
            )
        self._model = model
        self.weights = []  # tf.Variables to save
        self.halves = []  # (Keras variable, its float16 form)
        self._store(model.encoder.weights, dense)
        if model.ranker is None:  # then labels are what the generator scores
            self._store(model.generator.weights, table)
        else:
            self._store(model.generator.weights, dense)
            of_bottleneck = model.ranker.bottleneck.weights
            self._store(of_bottleneck, dense)
            ids = set(map(id, of_bottleneck))
            # Stored as asked already.
            self._store([w for w in model.ranker.weights if id(w) not in ids])

    def _store(self, weights, form="float32"):
        for weight in weights:
            variable = weight.value
            if form == "float16" and weight.dtype == "float32":
                variable = tf.Variable(tf.cast(variable, form), trainable=False)
                self.halves.append((weight, variable))
            self.weights.append(variable)

    def read(self, text):
        return [self.text_tokenizer.ragged_ids(text)]

    def inputs(self, tokens, rows):
        """The encoder's input for some documents, padded to their longest."""
        ids = tf.gather(tokens[0], rows)
        mask = tf.sequence_mask(ids.row_lengths())
        ids = ids.to_tensor(self.text_tokenizer.pad_id)  # (block, tokens)
        return {"token_ids": ids, "padding_mask": mask}

    def features(self, inputs):
        return self._model.encoder(inputs, training=False)

    # What `rank` and `score_labels` take.
    encoded = features

    def rank(self, encoded):
        outputs = self._model.rank(encoded)
        return outputs["label_ids"], outputs["scores"]

    def label_scores(self, encoded, label_ids):
        return score_labels(self._model, encoded, label_ids)
