"""The LightXML model."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from xmc_keras.encoders import multi_layer_cls_encoder
from xmc_keras.encoders.paired_encoders import PairedEncoders
from xmc_keras.labels.label_set import LabelSet

# The classes of a saved model must be imported before Keras can load it.
from xmc_keras.lightxml import (  # noqa: F401
    cluster_generator,
    dynamic_candidate_ranker,
)
from xmc_keras.lightxml.loss import cross_entropy
from xmc_keras.metrics import precision_at_k  # noqa: F401
from xmc_keras.metrics.candidate_recall import CandidateRecall
from xmc_keras.ops.elementwise import isin
from xmc_keras.optimizers import row_loss_scale, rowwise_adamw, warmup_decay  # noqa: F401
from xmc_keras.recommending.recommender import Recommender


@keras.saving.register_keras_serializable(package="xmc_keras")
class LightXML(Recommender):
    """Extreme multi-label text classifier: recalls label clusters, ranks their labels.

    One text representation feeds two heads that are trained together: the generator
    scores label clusters and returns the labels of the best ones as candidates, and
    the ranker scores these candidates. The loss is the sum of the binary
    cross-entropies of both parts; the score of a label is the product of its cluster's
    probability and its own. Without a `ranker` the generator's probabilities are the
    scores: correct if each cluster holds one label, otherwise recall only.

    The input is the encoder's dictionary. For training and evaluation it also contains
    `label_ids` (batch, positives) int32, the true labels, padded with `-1`, and the
    target `y` is equal to it. `cluster_ids` (batch, clusters) int32 is optional:
    fixed clusters (static negatives, see `ClusterGenerator`). `predict` returns
    `predicted_ids` (documents, num_predictions) int32, best first, padded with `-1`,
    and `scores` of the same shape, float32 probabilities. `call` returns both too,
    unless in training.

    Args:
        encoder: layer. Maps the input dictionary to features (batch, dim), for
            example a `MultiLayerCLSEncoder`. With `PairedEncoders` the generator gets
            the first half of the features and the ranker the second.
        generator: a `ClusterGenerator`.
        ranker: optional `DynamicCandidateRanker` whose `num_labels` is the `num_rows`
            of the generator: its table is in the order of the clusters, so that the
            labels of a cluster are one block.
        tokenizer: optional keras-nlp tokenizer, for `recommend`; saved with the model.
        max_tokens: int. Maximum number of tokens per text in `recommend`. Defaults to
            `128`.
        label_names: optional list of strings, for `recommend`; saved with the model.
        loss_reduction: `"mean"` over clusters and over candidates as in the authors'
            code, or `"sum"` as in equations 1 and 5; always a mean over documents.
            The mean gives more weight to the generator, on which everything else
            depends, and learns faster. Defaults to `"mean"`.
        score: `"product"` of the cluster's and the label's probability as in the paper,
            or `"label"`: with a `ranker`, the label's probability alone. Defaults to
            `"product"`.
        num_predictions: int. Labels that `predict` returns. Defaults to `100`.
        **kwargs: other arguments of `keras.Model`.

    Example:

    >>> import numpy as np, keras, keras_nlp
    >>> from xmc_keras.lightxml.cluster_generator import ClusterGenerator
    >>> from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
    >>> from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
    >>> backbone = keras_nlp.models.BertBackbone(
    ...     vocabulary_size=50, num_layers=1, num_heads=2, hidden_dim=4,
    ...     intermediate_dim=8, max_sequence_length=16)
    >>> model = LightXML(
    ...     MultiLayerCLSEncoder(backbone, num_feature_layers=1),
    ...     ClusterGenerator([[0, 1], [2, 3]], top_k=1),
    ...     DynamicCandidateRanker(num_labels=4, bottleneck_dim=3))
    >>> model.compile(optimizer="adam")
    >>> ids = np.array([[2, 7, 9, 3]], "int32")
    >>> x = {"token_ids": ids, "padding_mask": ids > 0, "label_ids": ids[:, :1]}
    >>> history = model.fit(x, x["label_ids"], verbose=0)
    >>> model.predict(x, verbose=0)["scores"].shape
    (1, 2)

    Reference:
        [LightXML](https://arxiv.org/abs/2101.03305), algorithm 1, equations
        1, 5 and 6.
    """

    system = "lightxml"

    def __init__(
        self,
        encoder,
        generator,
        ranker=None,
        tokenizer=None,
        max_tokens=128,
        label_names=None,
        loss_reduction="mean",
        score="product",
        num_predictions=100,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if loss_reduction not in ("sum", "mean"):
            raise ValueError(
                'Expected `loss_reduction` to be "sum" or "mean". '
                f"Received: loss_reduction={loss_reduction}"
            )
        if score not in ("product", "label"):
            raise ValueError(
                f'Expected `score` to be "product" or "label". Received: score={score}'
            )
        if label_names is not None and len(label_names) != generator.num_labels:
            raise ValueError(
                "Expected as many `label_names` as labels in the clusters. "
                f"Received: {len(label_names)} names, {generator.num_labels} labels"
            )
        if ranker is not None and ranker.num_labels != generator.num_rows:
            raise ValueError(
                "Expected a `ranker` with one row per place in the clusters, "
                f"num_labels={generator.num_rows}. Received: "
                f"num_labels={ranker.num_labels}"
            )
        self.encoder = encoder
        self.generator = generator
        self.ranker = ranker
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        # Wrapped in an object, because Keras tracks each item of a list.
        self.label_set = None if label_names is None else LabelSet(label_names)
        self.loss_reduction = loss_reduction
        self.score = score
        self.num_predictions = num_predictions
        self.loss_trackers = [keras.metrics.Mean(name="cluster_loss")]
        if ranker is not None:
            self.loss_trackers.append(keras.metrics.Mean(name="ranking_loss"))
        self.candidate_recall = CandidateRecall()

    def build(self, inputs_shape):
        batch, dim = self.encoder.compute_output_shape(inputs_shape)
        features_shape = batch, dim // 2 if self.is_paired else dim
        if not self.encoder.built:
            self.encoder.build(inputs_shape)
        if not self.generator.built:
            self.generator.build(features_shape)
        if self.ranker is not None and not self.ranker.built:
            self.ranker.build(features_shape, (None, self.generator.num_candidates))
        self.built = True

    def call(self, inputs, training=None):
        features = self.encoder(inputs, training=training)
        if training and self.ranker is not None and "label_ids" not in inputs:
            raise ValueError(
                "Expected `label_ids` in the training input, and not only as the "
                "target: without them the ranker is trained only on the candidates "
                f"that the generator happens to find. Received: {sorted(inputs)}"
            )
        known = inputs if training else {}
        return self.rank(
            features, known.get("label_ids"), known.get("cluster_ids"), training
        )

    @property
    def is_paired(self):
        return isinstance(self.encoder, PairedEncoders)

    def split_features(self, features):
        """Splits features into those of the generator and those of the ranker."""
        if self.is_paired:
            return ops.split(features, 2, axis=-1)
        return features, features

    def rank(self, features, label_ids=None, cluster_ids=None, training=False):
        """Computes the outputs of `call` from the encoder's features (batch, dim)."""
        of_generator, of_ranker = self.split_features(features)
        cluster_logits, candidates, candidate_logits = self.generator(
            of_generator, label_ids=label_ids, cluster_ids=cluster_ids
        )
        outputs = {"cluster_logits": cluster_logits, "candidates": candidates}
        scores = ops.sigmoid(candidate_logits)
        if self.ranker is not None:
            pool, places = self.generator.pool(candidates)
            outputs["logits"] = logits = self.ranker(of_ranker, pool, places)
            scores = self.combine_scores(scores, ops.sigmoid(logits))
        if not training:
            k = min(self.num_predictions, self.generator.num_candidates)
            scores = ops.where(candidates < 0, -1.0, scores)
            scores, places = tf.math.top_k(scores, k)
            outputs["predicted_ids"] = tf.gather(candidates, places, batch_dims=1)
            outputs["scores"] = ops.maximum(scores, 0.0)
        return outputs

    def score_labels(self, label_ids, features):
        """Scores of given labels, whether or not they would be candidates.

        Args:
            label_ids: int32 tensor (batch, n), `-1` pads.
            features: tensor (batch, dim), from the encoder.

        Returns:
            float32 tensor (batch, n), `0` for pads.

        Reference:
            [LightXML](https://arxiv.org/abs/2101.03305), algorithm 1: the product of
            the cluster's and the label's probability, or the form set by `score`.
        """
        of_generator, of_ranker = self.split_features(features)
        logits = self.generator.cluster_logits(of_generator)
        scores = ops.sigmoid(self.generator.own_logits(logits, label_ids))
        if self.ranker is not None:
            rows = ops.maximum(self.generator.rows_of(label_ids), 0)
            own = ops.sigmoid(self.ranker.logits(of_ranker, rows))
            scores = self.combine_scores(scores, own)
        return ops.where(label_ids < 0, 0.0, scores)

    def combine_scores(self, cluster_scores, label_scores):
        """Label scores from the probabilities of clusters and of labels."""
        if self.score == "label":
            return label_scores
        return cluster_scores * label_scores

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        y = ops.cast(y, "int32")  # (batch, positives)
        clusters = self.generator.multi_hot(self.generator.clusters_of(y))
        reduction = self.loss_reduction
        losses = [cross_entropy(clusters, y_pred["cluster_logits"], reduction)]
        if self.ranker is not None:
            candidates = y_pred["candidates"]  # (batch, candidates)
            real = ops.cast(candidates >= 0, "float32")
            positive = ops.cast(isin(candidates, y), "float32") * real
            losses.append(cross_entropy(positive, y_pred["logits"], reduction, real))
        if sample_weight is not None:  # (batch,) or (batch, 1), of any dtype
            weight = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
            losses = [loss * weight for loss in losses]
        losses = [ops.mean(loss) for loss in losses]
        for tracker, loss in zip(self.loss_trackers, losses):
            tracker.update_state(loss, sample_weight=ops.shape(y)[0])
        return sum(losses) + sum(self.losses)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        results = super().compute_metrics(x, y, y_pred, sample_weight)
        if "predicted_ids" not in y_pred:
            return results
        self.candidate_recall.update_state(y, y_pred["candidates"])
        return {**results, "candidate_recall": self.candidate_recall.result()}

    @classmethod
    def from_preset(
        cls,
        preset,
        clusters,
        label_names=None,
        *,
        num_feature_layers=5,
        pooling="mean",
        feature_dropout=0.5,
        top_k=None,
        bottleneck_dim=300,
        max_tokens=128,
        **kwargs,
    ):
        """Builds a model on a pretrained transformer, to `fit` yourself.

        It is compiled with `default_optimizer()` of `xmc_keras.lightxml.build`, AdamW
        with a rate of its own for the heads; `compile` it again for another one.

        Args:
            preset: string, see `load_encoder`: `"minilm"`, a keras-nlp preset, a handle
                or a folder.
            clusters: int array (num_clusters, cluster_size), padded with `-1`, see
                `cluster_labels`. With one label per cluster there is no ranker.
            label_names: optional list of strings, in the order of their ids.
            num_feature_layers, pooling, feature_dropout: see `MultiLayerCLSEncoder`.
            top_k: optional int. Clusters whose labels are ranked. Defaults to 20, or
                all of fewer; without a ranker, to those for `num_predictions` labels.
            bottleneck_dim: int. Width of a label embedding. Defaults to `300`.
            max_tokens: int. Defaults to `128`.
            **kwargs: other arguments of `LightXML`.

        Example:

        >>> model = LightXML.from_preset("minilm", [[0, 1], [2, -1]], ["a", "b", "c"])
        >>> type(model.optimizer).__name__
        'RowwiseAdamW'
        """
        # Imported here: a model that is loaded from a file needs no hubs.
        from xmc_keras.encoders.pretrained import load_encoder
        from xmc_keras.lightxml.build import build_heads, default_optimizer

        clusters = np.asarray(clusters, "int32")
        generator, ranker = build_heads(
            clusters,
            top_k,
            kwargs.get("num_predictions", 100),
            one_label=clusters.ndim == 2 and clusters.shape[1] == 1,
            bottleneck_dim=bottleneck_dim,
        )
        backbone, tokenizer = load_encoder(preset)
        encoder = multi_layer_cls_encoder.MultiLayerCLSEncoder(
            backbone,
            num_feature_layers,
            feature_dropout,
            pooling=pooling,
            name="encoder",
        )
        model = cls(
            encoder,
            generator,
            ranker,
            tokenizer=tokenizer,
            max_tokens=max_tokens,
            label_names=label_names,
            **{"name": "lightxml", **kwargs},
        )
        model.compile(default_optimizer())
        return model

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "encoder": keras.saving.serialize_keras_object(self.encoder),
                "generator": keras.saving.serialize_keras_object(self.generator),
                "ranker": keras.saving.serialize_keras_object(self.ranker),
                "tokenizer": keras.saving.serialize_keras_object(self.tokenizer),
                "max_tokens": self.max_tokens,
                "loss_reduction": self.loss_reduction,
                "score": self.score,
                "num_predictions": self.num_predictions,
            }
        )
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("encoder", "generator", "ranker", "tokenizer"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)
