"""Base class of the models."""

from pathlib import Path

import keras

from xmc_keras.labels.label_set import LabelSet
from xmc_keras.ops.keras_internals import compiled_metrics, loss_tracker

LABEL_NAMES = "label_names.txt"


class Recommender(keras.Model):
    """Base class of models that rank labels, such as `LightXML`.

    A subclass has a `system`, a value of the config's key, an `encoder`, a `label_set`,
    a `LabelSet` or None, and `loss_trackers`, the metrics of the parts of its loss.
    Except in training, its `call` returns a dictionary with `predicted_ids` (batch,
    num_predictions) int32, best first, and `scores` of the same shape. `label_set` is
    saved in `.keras` files.

    `encode` turns inputs into what the methods `rank`, which returns that dictionary,
    and `score_labels` take: `rank(*encoded)`, `score_labels(label_ids, *encoded)`.

    `select_labels(places, names)` and `extend_labels(examples)` make copies with other
    labels, which `add_labels`, `remove_labels` and `rename_labels` check and name;
    `correct_labels(corrections)` is for `learn`, and may change the model.

    Example:

    >>> import numpy as np
    >>> class First(Recommender):
    ...     label_set = LabelSet(["sea", "sky"])
    ...     def call(self, x):
    ...         return {"predicted_ids": x, "scores": keras.ops.ones_like(x)}
    >>> First().predict(np.array([[1, 0]]), verbose=0)["predicted_ids"].tolist()
    [[1, 0]]
    """

    loss_trackers = ()

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        # In training the model is given the positives, so metrics of its ranking would
        # be too good: compiled metrics are for evaluation only.
        results = {
            metric.name: metric.result()
            for metric in (loss_tracker(self), *self.loss_trackers)
        }
        compiled = compiled_metrics(self)
        if compiled is None:
            return results
        if "predicted_ids" not in y_pred:
            if not compiled.built:
                compiled.build(y, y)  # Keras asks for a result even if unused
            return results
        compiled.update_state(y, y_pred["predicted_ids"], sample_weight)
        return {**results, **compiled.result()}

    def encode(self, inputs):
        """A tuple of the features (batch, dim) and, if there are any, the words."""
        features = self.encoder(inputs, training=False)
        words = self.read_words(inputs)
        return (features,) if words is None else (features, words)

    def read_words(self, inputs):
        """What `rank` needs of a batch's words apart from features; None if nothing."""
        return None

    def compute_output_shape(self, *args, **kwargs):
        """Shapes of the outputs in prediction, for `summary`."""
        # Keras names the argument by how the model was built.
        (inputs_shape,) = (*args, *kwargs.values())
        source = getattr(self, "label_clusters", self)
        width = min(self.num_predictions, source.num_candidates)
        shape = inputs_shape["token_ids"][0], width
        return {"predicted_ids": shape, "scores": shape}

    def compute_output_spec(self, *args, **kwargs):
        # From `call`, since outputs are others in training.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def predict_step(self, data):
        outputs = super().predict_step(data)
        return {name: outputs[name] for name in ("predicted_ids", "scores")}

    def recommend(self, texts, k=5, batch_size=64):
        """Recommends labels for raw texts, see `xmc_keras.recommending.recommend`."""
        # Imported here: a model that is fed token ids does not need tensorflow-text.
        from xmc_keras.recommending.recommend import recommend

        return recommend(self, texts, k, batch_size)

    # What changes labels is imported when it is used, because it needs tensorflow-text,
    # and imports the models.

    def add_labels(self, examples, replay=None, found=None):
        """A new model with further labels, see `add_labels` of `xmc_keras`."""
        from xmc_keras.recommending.label_changes.add_labels import add_labels

        return add_labels(self, examples, replay, found)

    def remove_labels(self, names):
        """A new model without some labels, see `remove_labels` of `xmc_keras`."""
        from xmc_keras.recommending.label_changes.change_labels import remove_labels

        return remove_labels(self, names)

    def rename_labels(self, names):
        """A new model with other names, see `rename_labels` of `xmc_keras`."""
        from xmc_keras.recommending.label_changes.change_labels import rename_labels

        return rename_labels(self, names)

    def learn(self, texts, labels, replay=None, found=None):
        """A new model that has learnt from corrections, see `learn` of `xmc_keras`."""
        from xmc_keras.recommending.label_changes.learn import learn

        return learn(self, texts, labels, replay, found)

    def save_assets(self, folder):
        if self.label_set is not None:
            self.label_set.save(Path(folder, LABEL_NAMES))

    def load_assets(self, folder):
        path = Path(folder, LABEL_NAMES)
        if path.exists():
            self.label_set = LabelSet.load(path)
