"""A transformer with a one-vs-all head."""

import keras
import tensorflow as tf
from keras import ops

from xmc_keras.labels.label_set import LabelSet
from xmc_keras.ops.distribution.replicas import count_documents, loss_share
from xmc_keras.ops.keras_internals import loss_tracker
from xmc_keras.optimizers import rowwise_adamw, warmup_decay  # noqa: F401
from xmc_keras.recommending.recommender import Recommender


@keras.saving.register_keras_serializable(package="xmc_keras")
class OneVsAll(Recommender):
    """Extreme multi-label text classifier: scores all labels in every step.

    There are no clusters and no candidates: every label is learnt from every document
    of a batch. The loss is the sum over all labels of the binary cross-entropy, and a
    mean over documents. Neither logits nor gradients of all labels are kept: see
    `OneVsAllHead`. Its label table is updated block by block within the step, by the
    gradient of the sum over documents, as published; the encoder by the mean, and the
    gradient is clipped for the encoder alone.

    The input is the encoder's dictionary; other entries, such as `label_ids`, are
    ignored. The target `y` (batch, positives) int32 are the true labels, padded with
    `-1`. `predict` returns `predicted_ids` (documents, num_predictions) int32, best
    first, and `scores` of the same shape, float32 probabilities.

    Args:
        encoder: layer. Maps the input dictionary to features (batch, dim), for example
            a `MultiLayerCLSEncoder` with `pooling="mean"`.
        head: a `OneVsAllHead`.
        tokenizer: optional keras-nlp tokenizer, for `recommend`; saved with the model.
        max_tokens: int. Maximum number of tokens per text in `recommend`. Defaults to
            `128`.
        label_names: optional list of strings, for `recommend`; saved with the model.
        num_predictions: int. Labels that `predict` returns. Defaults to `100`.
        **kwargs: other arguments of `keras.Model`.

    `compile` it with a `RowwiseAdamW`, whose patterns for `label_block` set the rate
    and the rule of the table: Adam by default, SGD with `sgd=["label_block"]`.

    Example:

    >>> import numpy as np, keras
    >>> from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
    >>> from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead
    >>> from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW
    >>> model = OneVsAll(SparseTextEncoder(num_features=50, dim=4), OneVsAllHead(3))
    >>> model.compile(RowwiseAdamW(1e-3, sgd=["label_block"]))
    >>> x = {"token_ids": np.array([[7, 3], [5, -1]], "int32"),
    ...      "token_weights": np.array([[0.6, 0.8], [1.0, 0.0]], "float32")}
    >>> history = model.fit(x, np.array([[0, 2], [1, -1]]), verbose=0)
    >>> model.predict(x, verbose=0)["scores"].shape
    (2, 3)

    Reference: Renee (MLSys 2023, https://github.com/microsoft/renee) and ELMO (ICML
        2025, https://github.com/xmc-aalto/elmo).
    """

    system = "one_vs_all"

    def __init__(
        self,
        encoder,
        head,
        tokenizer=None,
        max_tokens=128,
        label_names=None,
        num_predictions=100,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if label_names is not None and len(label_names) != head.num_labels:
            raise ValueError(
                "Expected as many `label_names` as labels. Received: "
                f"{len(label_names)} names, {head.num_labels} labels"
            )
        self.encoder = encoder
        self.head = head
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        # Wrapped in an object, because Keras tracks each item of a list.
        self.label_set = None if label_names is None else LabelSet(label_names)
        self.num_predictions = num_predictions

    def build(self, inputs_shape):
        if not self.encoder.built:
            self.encoder.build(inputs_shape)
        if not self.head.built:
            self.head.build(self.encoder.compute_output_shape(inputs_shape))
        self.built = True

    def call(self, inputs, training=None):
        features = self.encoder(inputs, training=training)
        if training:
            return {"hidden": self.head.project(features)}
        return self.rank(features)

    @property
    def num_candidates(self):
        return self.head.num_labels

    def rank(self, features):
        """Computes the outputs of `call` in prediction from features (batch, dim)."""
        hidden = self.head.project(features)
        k = min(self.num_predictions, self.head.num_labels)
        ids, logits = self.head.best(hidden, k)
        found = {
            "hidden": hidden,
            "predicted_ids": ids,
            "scores": ops.sigmoid(logits),
        }
        return self.calibrate(found)

    def score_labels(self, label_ids, features):
        """Scores (batch, n) of given labels (batch, n), 0 for -1."""
        hidden = self.head.project(features)
        scores = ops.sigmoid(self.head.logits(hidden, ops.maximum(label_ids, 0)))
        scores = ops.where(label_ids < 0, 0.0, scores)
        return self.calibrate_scores(label_ids, scores, features)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        losses = self.head.losses(y_pred["hidden"], y)
        loss = _mean(losses, sample_weight) + sum(self.losses)
        return loss_share(count_documents(y, sample_weight), training) * loss

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        optimizer = self.optimizer
        # One with loss scaling wraps another.
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        if not isinstance(inner, rowwise_adamw.RowwiseAdamW):
            raise ValueError(
                "Expected `compile` with a `RowwiseAdamW`, which updates the label "
                f"table in parts. Received: {type(inner).__name__}"
            )
        with tf.GradientTape() as tape:
            hidden = self(x, training=True)["hidden"]
            penalty = tf.convert_to_tensor(sum(self.losses), tf.float32)
        if not optimizer.built:
            with tf.init_scope():
                optimizer.build(self.trainable_variables)
        losses, gradient = self.head.backpropagate(
            hidden, y, inner.update_table, sample_weight
        )
        loss_tracker(self).update_state(
            _mean(losses, sample_weight) + penalty, count_documents(y, sample_weight)
        )
        in_blocks = {id(block) for block in self.head.blocks}
        variables = [v for v in self.trainable_variables if id(v) not in in_blocks]
        if not variables:
            inner.iterations.assign_add(1)
            return self.compute_metrics(x, y, {}, sample_weight)
        # A loss scale is for gradients in float16: those of the table are float32.
        documents = count_documents(y, sample_weight)
        share = loss_share(documents)
        gradient *= share / tf.cast(tf.maximum(documents, 1), tf.float32)
        gradients = tape.gradient(
            [hidden, penalty],
            [v.value for v in variables],
            [
                tf.cast(optimizer.scale_loss(gradient), hidden.dtype),
                optimizer.scale_loss(share * tf.ones_like(penalty)),
            ],
        )
        optimizer.apply(gradients, variables)
        return self.compute_metrics(x, y, {}, sample_weight)

    def select_labels(self, places, names):
        """A copy with some of the labels, see `change_one_vs_all`."""
        from xmc_keras.one_vs_all.change_one_vs_all import select_labels

        return select_labels(self, places, names)

    def extend_labels(self, examples):
        """A copy with new labels, see `change_one_vs_all`."""
        from xmc_keras.one_vs_all.change_one_vs_all import extend_labels

        return extend_labels(self, examples)

    def correct_labels(self, corrections):
        """A model that is right on documents, see `correct_one_vs_all`."""
        from xmc_keras.one_vs_all.correct_one_vs_all import correct_labels

        return correct_labels(self, corrections)

    def get_config(self):
        config = super().get_config()
        for name in ("encoder", "head", "tokenizer"):
            config[name] = keras.saving.serialize_keras_object(getattr(self, name))
        return config | {
            "max_tokens": self.max_tokens,
            "num_predictions": self.num_predictions,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("encoder", "head", "tokenizer"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)


def _mean(losses, sample_weight):
    if sample_weight is not None:
        losses *= tf.reshape(tf.cast(sample_weight, tf.float32), [-1])
    return tf.reduce_mean(losses)
