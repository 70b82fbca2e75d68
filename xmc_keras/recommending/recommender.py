"""Base class of the models."""

from pathlib import Path

import keras

from xmc_keras.labels.label_set import LabelSet, read_titles
from xmc_keras.ops.distribution.replica_steps import ReplicaSteps
from xmc_keras.ops.keras_internals import compiled_metrics, loss_tracker
from xmc_keras.recommending.calibration.calibration import Calibration

LABEL_NAMES, LABEL_TITLES = "label_names.txt", "label_titles.txt"
CALIBRATION = "calibration.npz"


class Recommender(ReplicaSteps, keras.Model):
    """Base class of models that rank labels, such as `LightXML`.

    A subclass has a `system`, a value of the config's key, an `encoder`, a `label_set`,
    a `LabelSet` or None, and `loss_trackers`, the metrics of the parts of its loss.
    Except in training, its `call` returns a dictionary with `predicted_ids` (batch,
    num_predictions) int32, best first, and `scores` of the same shape. `label_set` is
    saved in `.keras` files, and so is `calibration`, a `Calibration` or None, which
    turns scores into probabilities, of which labels keep their order.

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
    saves_labels = True
    _calibration = None

    @property
    def calibration(self):
        """`Calibration` of the scores, or None."""
        return self._calibration

    @calibration.setter
    def calibration(self, calibration):
        self._calibration = calibration
        # Keras keeps the graphs that it has traced.
        self.predict_function = self.test_function = None

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

    def calibrate(self, outputs):
        """Calibrates the scores of ranked labels, if there is a calibration.

        Args:
            outputs: dictionary with `predicted_ids` and `scores` (batch, n).

        Returns:
            The dictionary with calibrated `scores`, in the same order, and with
            `own_scores`, those of before.
        """
        if self.calibration is None:
            return outputs
        own = outputs["scores"]
        scores = self.calibrate_ranked(outputs["predicted_ids"], own)
        return {**outputs, "scores": scores, "own_scores": own}

    def calibrate_ranked(self, label_ids, scores):
        """Calibrated scores (batch, n) of ranked labels, if there is a calibration."""
        if self.calibration is None:
            return scores
        return self.calibration.apply(label_ids, scores, scores)

    def calibrate_scores(self, label_ids, scores, *encoded):
        """Calibrated scores (batch, n) of given labels, if there is a calibration.

        They depend on the labels that are ranked, see `Calibration`; `encoded` is the
        result of `encode`.
        """
        if self.calibration is None:
            return scores
        own = self.rank(*encoded)["own_scores"]
        return self.calibration.apply(label_ids, scores, own)

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

    def recommend(self, texts, k=None, batch_size=64, threshold=None):
        """Recommends labels for raw texts, see `xmc_keras.recommending.recommend`."""
        # Imported here: a model that is fed token ids does not need tensorflow-text.
        from xmc_keras.recommending.recommend import recommend

        return recommend(self, texts, k, batch_size, threshold)

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
        if self.saves_labels and self.label_set is not None:
            self.label_set.save(Path(folder, LABEL_NAMES))
            if self.label_set.titles:
                self.label_set.save_titles(Path(folder, LABEL_TITLES))
        if self.calibration is not None:
            self.calibration.save(Path(folder, CALIBRATION))

    def load_assets(self, folder):
        path = Path(folder, LABEL_NAMES)
        if path.exists():
            self.label_set = LabelSet.load(path)
            if (of_titles := Path(folder, LABEL_TITLES)).exists():
                titles = read_titles(of_titles, self.label_set.names)
                self.label_set = LabelSet(self.label_set.names, titles)
        path = Path(folder, CALIBRATION)
        if path.exists():
            self.calibration = Calibration.load(path)
