"""What `fit`, `evaluate` and `predict` ask of a LightDXML."""

from keras import ops

from xmc_keras.lightdxml.loss import summed_cross_entropy
from xmc_keras.ops.keras_internals import compiled_metrics, loss_tracker


class LightDXMLTraining:
    """The part of `LightDXML` that makes a loss and metrics of what `call` returns.

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Classifier training".
    """

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Cross-entropy summed over the labels scored, a mean over documents."""
        losses = summed_cross_entropy(y_pred, ops.cast(y, "int32"))  # (batch,)
        if sample_weight is not None:
            losses *= ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        return ops.mean(losses) + sum(self.losses)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        # A ranking of positives and their negatives would say nothing: compiled
        # metrics are for evaluation only.
        results = {"loss": loss_tracker(self).result()}
        compiled = compiled_metrics(self)
        if compiled is None:
            return results
        if "label_ids" not in y_pred:
            if not compiled.built:
                compiled.build(y, y)  # Keras asks for a result even if unused
            return results
        compiled.update_state(y, y_pred["label_ids"], sample_weight)
        return {**results, **compiled.result()}

    def predict_step(self, data):
        outputs = super().predict_step(data)
        return {name: outputs[name] for name in ("label_ids", "scores")}
