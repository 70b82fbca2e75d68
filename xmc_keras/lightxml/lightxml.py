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
    cluster_ranker,
    dynamic_candidate_ranker,
)
from xmc_keras.lightxml.check_heads import check_heads
from xmc_keras.lightxml.loss import cross_entropy
from xmc_keras.metrics import precision_at_k  # noqa: F401
from xmc_keras.metrics.candidate_recall import CandidateRecall
from xmc_keras.ops.distribution.replicas import count_documents, loss_share
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

    `levels` make it a cascade of several resolutions: the labels of the generator are
    then clusters themselves. Each level scores those that the one above offers, and
    offers the labels of its best clusters, until the ranker scores labels. The loss has
    a cross-entropy, and the score a factor, for each level.

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
        levels: list of `ClusterRanker`, coarse ones first. The labels of the generator
            are the clusters of the first, and so on; those of the last are labels.
            Needs a `ranker`. Defaults to none.
        level_dims: optional list of ints. The widths of the parts of the encoder's
            features that generator, levels and ranker read, in this order, which add up
            to `dim`. By default each of them reads all features.
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
        1, 5 and 6. `levels`: [CascadeXML](https://arxiv.org/abs/2211.00640).
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
        levels=(),
        level_dims=None,
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
        self.encoder = encoder
        self.generator = generator
        self.levels = list(levels)
        self.ranker = ranker
        self.level_dims = None if level_dims is None else tuple(level_dims)
        check_heads(generator, self.levels, ranker, self.level_dims)
        num_labels = self.label_clusters.num_labels
        if label_names is not None and len(label_names) != num_labels:
            raise ValueError(
                "Expected as many `label_names` as labels in the clusters. "
                f"Received: {len(label_names)} names, {num_labels} labels"
            )
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        # Wrapped in an object, because Keras tracks each item of a list.
        self.label_set = None if label_names is None else LabelSet(label_names)
        self.loss_reduction = loss_reduction
        self.score = score
        self.num_predictions = num_predictions
        self.loss_trackers = [keras.metrics.Mean(name="cluster_loss")]
        for number in range(2, 2 + len(self.levels)):
            tracker = keras.metrics.Mean(name=f"cluster_loss_{number}")
            self.loss_trackers.append(tracker)
        if ranker is not None:
            self.loss_trackers.append(keras.metrics.Mean(name="ranking_loss"))
        self.candidate_recall = CandidateRecall()

    def build(self, inputs_shape):
        batch, dim = self.encoder.compute_output_shape(inputs_shape)
        dims = [dim // 2 if self.is_paired else dim] * len(self.heads)
        dims = self.level_dims or dims
        if self.level_dims is not None and (self.is_paired or sum(dims) != dim):
            raise ValueError(
                "Expected `level_dims` that add up to the features of an encoder, "
                f"{dim}, and not of `PairedEncoders`. Received: {list(dims)}"
            )
        if not self.encoder.built:
            self.encoder.build(inputs_shape)
        candidates = (None, self.label_clusters.num_candidates)
        for head, width in zip(self.heads, dims, strict=True):
            if not head.built:
                shapes = [candidates] if head is self.ranker else []
                head.build((batch, width), *shapes)
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

    @property
    def heads(self):
        """The generator, the levels and the ranker, if any: a list."""
        ranker = [] if self.ranker is None else [self.ranker]
        return [self.generator, *self.levels, *ranker]

    @property
    def label_clusters(self):
        """The layer whose clusters hold labels: the last level, or the generator."""
        return self.levels[-1] if self.levels else self.generator

    def split_features(self, features):
        """Splits features into those of the generator, the levels and the ranker."""
        if self.level_dims is not None:
            ends = np.cumsum(self.level_dims)[:-1].tolist()
            return ops.split(features, ends, axis=-1)
        if self.is_paired:
            return ops.split(features, 2, axis=-1)
        return len(self.heads) * [features]

    def labels_by_level(self, label_ids):
        """What label ids are at the generator and each of the levels: a list.

        At the last level they are themselves, and at those above the clusters of the
        level below that hold them, of the same shape, `-1` for pads and other labels.
        """
        found = [label_ids]
        for level in reversed(self.levels):
            found.append(level.clusters_of(found[-1]))
        return found[::-1]

    def rank(self, features, label_ids=None, cluster_ids=None, training=False):
        """Computes the outputs of `call` from the encoder's features (batch, dim)."""
        parts = self.split_features(features)
        known = [None] * (1 + len(self.levels))
        if label_ids is not None:
            known = self.labels_by_level(ops.cast(label_ids, "int32"))
        cluster_logits, candidates, candidate_logits = self.generator(
            parts[0], label_ids=known[0], cluster_ids=cluster_ids
        )
        scores = ops.sigmoid(candidate_logits)
        outputs = {"cluster_logits": cluster_logits}
        if self.levels:
            outputs["levels"] = []
        for level, part, ids in zip(self.levels, parts[1:], known[1:]):
            found = {"candidates": candidates, "scores": scores}
            logits, candidates, scores = level(part, *found.values(), label_ids=ids)
            found |= {"logits": logits, "scores": found["scores"] * ops.sigmoid(logits)}
            outputs["levels"].append(found)
        outputs["candidates"] = candidates
        if self.ranker is not None:
            outputs["logits"] = logits = self.score_candidates(parts[-1], candidates)
            scores = self.combine_scores(scores, ops.sigmoid(logits))
        if not training:
            k = min(self.num_predictions, self.label_clusters.num_candidates)
            scores = ops.where(candidates < 0, -1.0, scores)
            scores, places = tf.math.top_k(scores, k)
            outputs["predicted_ids"] = tf.gather(candidates, places, batch_dims=1)
            outputs["scores"] = ops.maximum(scores, 0.0)
            outputs = self.calibrate(outputs)
        return outputs

    def score_candidates(self, features, candidates):
        """The ranker's logits (batch, candidates) float32."""
        clusters = self.label_clusters
        if self.ranker.is_sharded:  # each replica pools the rows that it has
            return self.ranker(features, clusters.rows_of(candidates))
        return self.ranker(features, *clusters.pool(candidates))

    def combine_scores(self, cluster_scores, label_scores):
        """Label scores from the probabilities of clusters and of labels."""
        if self.score == "label":
            return label_scores
        return cluster_scores * label_scores

    def score_labels(self, label_ids, features):
        """Scores of given labels, whether or not they would be candidates.

        Args:
            label_ids: int32 tensor (batch, n), `-1` pads.
            features: float tensor (batch, dim), from the encoder.

        Returns:
            float32 tensor (batch, n), `0` for pads.

        Reference:
            [LightXML](https://arxiv.org/abs/2101.03305), algorithm 1: the product of
            the probabilities of the label and of its cluster at each level, or the form
            set by `score`.
        """
        parts, ids = self.split_features(features), self.labels_by_level(label_ids)
        logits = self.generator.cluster_logits(parts[0])
        scores = ops.sigmoid(self.generator.own_logits(logits, ids[0]))
        for level, part, clusters in zip(self.levels, parts[1:], ids):
            logits = level.ranker.logits(part, ops.maximum(clusters, 0))
            scores *= ops.sigmoid(logits)
        if self.ranker is not None:
            rows = ops.maximum(self.label_clusters.rows_of(label_ids), 0)
            own = ops.sigmoid(self.ranker.logits(parts[-1], rows))
            scores = self.combine_scores(scores, own)
        scores = ops.where(label_ids < 0, 0.0, scores)
        return self.calibrate_scores(label_ids, scores, features)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        y = ops.cast(y, "int32")  # (batch, positives)
        known, reduction = self.labels_by_level(y), self.loss_reduction
        clusters = self.generator.multi_hot(self.generator.clusters_of(known[0]))
        losses = [cross_entropy(clusters, y_pred["cluster_logits"], reduction)]
        ranked = list(zip(y_pred.get("levels", []), known))
        if self.ranker is not None:
            ranked.append((y_pred, y))
        for found, positives in ranked:
            candidates = found["candidates"]  # (batch, candidates)
            real = ops.cast(candidates >= 0, "float32")
            positive = ops.cast(isin(candidates, positives), "float32") * real
            losses.append(cross_entropy(positive, found["logits"], reduction, real))
        if sample_weight is not None:  # (batch,) or (batch, 1), of any dtype
            weight = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
            losses = [loss * weight for loss in losses]
        losses = [ops.mean(loss) for loss in losses]
        documents = count_documents(y, sample_weight)
        for tracker, loss in zip(self.loss_trackers, losses):
            tracker.update_state(loss, sample_weight=documents)
        return loss_share(documents, training) * (sum(losses) + sum(self.losses))

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
        levels=None,
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
            levels: optional list of ints, increasing powers of 2. Numbers of clusters
                of coarser levels, for a cascade, see `build_heads`.
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
        generator, levels, ranker = build_heads(
            clusters,
            top_k,
            kwargs.get("num_predictions", 100),
            one_label=clusters.ndim == 2 and clusters.shape[1] == 1,
            bottleneck_dim=bottleneck_dim,
            levels=levels,
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
            levels=levels,
            **{"name": "lightxml", **kwargs},
        )
        model.compile(default_optimizer())
        return model

    def select_labels(self, places, names):
        """A copy with some of the labels, see `change_lightxml`."""
        from xmc_keras.lightxml.change_lightxml import select_labels

        return select_labels(self, places, names)

    def extend_labels(self, examples):
        """A copy with new labels, see `change_lightxml`."""
        from xmc_keras.lightxml.change_lightxml import extend_labels

        return extend_labels(self, examples)

    def correct_labels(self, corrections):
        """A model that is right on documents, see `correct_lightxml`."""
        from xmc_keras.lightxml.correct_lightxml import correct_labels

        return correct_labels(self, corrections)

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
                "levels": list(map(keras.saving.serialize_keras_object, self.levels)),
                "level_dims": self.level_dims and list(self.level_dims),
            }
        )
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("encoder", "generator", "ranker", "tokenizer"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        levels = config.pop("levels", [])  # absent in files of version 0.1.0
        levels = list(map(keras.saving.deserialize_keras_object, levels))
        return cls(**config, levels=levels)
