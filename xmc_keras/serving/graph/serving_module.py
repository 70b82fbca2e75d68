"""Raw texts to label names and scores, as a graph for TensorFlow Serving."""

import keras
import numpy as np
import tensorflow as tf

from xmc_keras.evaluation.ensemble.average_scores import (
    average_scores,
    normalize_weights,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.one_vs_all.one_vs_all import OneVsAll
from xmc_keras.recommending.hybrid import Hybrid
from xmc_keras.recommending.rank_together import rank_together
from xmc_keras.serving.graph.ensemble_member import EnsembleMember
from xmc_keras.serving.graph.float32_model import convert_to_float32
from xmc_keras.serving.graph.hybrid_member import HybridMember
from xmc_keras.serving.graph.label_names import LabelNames
from xmc_keras.serving.graph.lightdxml_member import LightDXMLMember
from xmc_keras.serving.graph.one_vs_all_member import OneVsAllMember

# Texts computed at a time, so that memory stays bounded for requests of any size, and
# the most scores of all their labels where these are computed.
BLOCK = 32
SCORES = 2**25
# Labels per text in a request to `score`, for the same reason.
MOST_SCORED = 10_000

TEXT = tf.TensorSpec([None], tf.string, "text")


class ServingModule(tf.Module):
    """Signatures of an exported model, for one model or an ensemble.

    - `serving_default(text)` returns `labels` (texts, k) string and `scores`
      (texts, k) float32, best first. If a model has fewer than k candidates, the
      rest is `""` with score 0.
    - `top_k(text, k)` returns the same for the k of the request, one for all texts or
      one for each, at least 1 and at most `most_labels`. A row with a smaller k than
      another one ends with `""` and score 0.
    - `select(text, threshold)` returns `labels` and `scores` (texts, most_labels) of
      the labels whose scores are at least the threshold of the request, one for all
      texts or one for each, and `count` (texts,) int32, which may be 0. The rest of a
      row is `""` with score 0. A negative threshold, and none, stand for the model's
      own.
    - `score(text, labels)` returns `scores` (texts, n) float32 of given label names,
      -1 for unknown labels. With one name per text, `labels` (texts,), so are the
      `scores`.
    - `embed(text)` returns `embedding` (texts, dim) float32, the text representation;
      those of an ensemble are concatenated.

    The scores of an ensemble are averages. Each model offers its best labels, and
    every model scores all offered labels, with 0 for a label that it does not know;
    see `rank_together`. With a calibration of the ensemble, it turns the averages into
    probabilities.

    No answer depends on the other texts of a call, because a server that batches
    concatenates the rows of several requests and splits the outputs again. So each
    row keeps its own k, and pairs of a text and a label always have the same shape.

    The graph computes in float32 and has no jit-compiled function, which a stock
    server refuses. The texts of a request are sorted by length and encoded 32 at
    a time, each block padded to its longest text.

    Args:
        models: list of `LightXML`, `LightDXML`, `OneVsAll` or `Hybrid`, each with a
            tokenizer or vectorizer and with label names.
        k: int. Number of labels that `serving_default` returns.
        table_dtype: `"float32"`, `"float16"` or `"int8"`. dtype of label tables; see
            `StoredRanker` and `LightDXMLMember`. Defaults to `"float32"`.
        dense_dtype: `"float32"` or `"float16"`. dtype of all other weights. Each call
            converts float16 weights to float32 as a whole, which takes time: use it
            where memory is short. Defaults to `"float32"`.
        weights: optional list of floats. Weight of each model in the average. Defaults
            to equal weights.
        threshold: float array () or (num_labels,), see `choose_thresholds`. The model's
            own threshold. Defaults to `0.5`.
        calibration: optional `Calibration` of the scores of an ensemble, see
            `calibrate_ensemble`. A single model has its own.

    Raises:
        BadInput: `k` is out of range, or a model does not support these dtypes.
    """

    def __init__(
        self,
        models,
        k,
        table_dtype="float32",
        dense_dtype="float32",
        weights=None,
        threshold=0.5,
        calibration=None,
    ):
        super().__init__()
        models = [convert_to_float32(model) for model in models]
        self.most_labels = min(_most_labels(model) for model in models)
        if not 1 <= k <= self.most_labels:
            raise BadInput(
                f"Expected k between 1 and {self.most_labels}, the labels that the "
                f"model ranks per text. Received: {k}."
            )
        self.k = k
        self._calibration = calibration
        self._shares = tuple(normalize_weights(weights, len(models)))
        self.labels = LabelNames([model.label_set.names for model in models])
        # In the order of the first model's labels, which are the first of all.
        self.threshold = tf.Variable(threshold, dtype=tf.float32, trainable=False)
        self._members = [
            make_member(model, table_dtype, dense_dtype) for model in models
        ]
        self.weights = [weight for m in self._members for weight in m.weights]
        # A vectorizer has none.
        self.resources = [
            resource
            for member in self._members
            if member.text_tokenizer is not None
            for resource in member.text_tokenizer.resources
        ]
        self.searched = [m.searched for m in self._members if hasattr(m, "searched")]
        self._block = BLOCK
        if self.searched:
            self._block = max(1, min(BLOCK, SCORES // len(self.labels)))

    def inputs_of(self, documents):
        """Inputs of a request for a list of texts, as NumPy arrays."""
        return {"text": np.array([text.encode() for text in documents], object)}

    def signatures(self):
        """Dictionary of name to `tf.function`, for `tf.saved_model.save`."""
        k = tf.TensorSpec(None, tf.int32, "k")
        threshold = tf.TensorSpec(None, tf.float32, "threshold")
        labels = tf.TensorSpec(None, tf.string, "labels")

        @tf.function(input_signature=[TEXT], autograph=False)
        def serving_default(text):
            """`text` [n] to the best `labels` [n, k] and their `scores` [n, k]."""
            return self._predict(text, self.k)

        @tf.function(input_signature=[TEXT, k], autograph=False)
        def top_k(text, k):
            """The same for the `k` of the request, one for all or [n]."""
            return self._top_k(text, k)

        @tf.function(input_signature=[TEXT, threshold], autograph=False)
        def select(text, threshold):
            """`text` [n] and `threshold`, one for all or [n], negative for the model's
            own, to the `labels` [n, m] that reach it, their `scores`, and `count` [n].
            """
            return self._select(text, threshold)

        @tf.function(input_signature=[TEXT, labels], autograph=False)
        def score(text, labels):
            """`text` [n] and label names `labels` [n, m] or [n] to their `scores`."""
            return self._score(text, labels)

        @tf.function(input_signature=[TEXT], autograph=False)
        def embed(text):
            """`text` [n] to its `embedding` [n, dim]."""
            return self._embed(text)

        functions = (serving_default, top_k, select, score, embed)
        return {function.python_function.__name__: function for function in functions}

    def _top_k(self, documents, k):
        count = self._count(documents)
        k = tf.clip_by_value(tf.reshape(k, [-1]), 1, self.most_labels)
        k = _one_or_each(k, count, "k")
        # An empty request may have no k at all.
        width = tf.maximum(tf.reduce_max(k), 1)
        answer = self._predict(documents, width)
        kept = tf.range(width) < tf.broadcast_to(k, [count])[:, tf.newaxis]
        return {
            "labels": tf.where(kept, answer["labels"], ""),
            "scores": tf.where(kept, answer["scores"], 0.0),
        }

    def _select(self, documents, threshold):
        count, width = self._count(documents), self.most_labels
        none = tf.constant([-1.0])
        asked = tf.reshape(threshold, [-1])
        asked = tf.cond(tf.size(asked) == 0, lambda: none, lambda: asked)
        asked = tf.broadcast_to(_one_or_each(asked, count, "threshold"), [count])

        def select_block(inputs, rows):
            label_ids, scores = self._rank(inputs)  # (block, most_labels)
            own = self.threshold
            if own.shape.rank:
                own = tf.gather(own, tf.maximum(label_ids, 0))
            least = tf.gather(asked, rows)[:, tf.newaxis]
            kept = (label_ids >= 0) & (scores >= tf.where(least < 0, own, least))
            # With thresholds by label, others may come between.
            _, places = tf.math.top_k(tf.cast(kept, tf.int32), width)
            label_ids = tf.where(kept, label_ids, -1)
            scores = tf.where(kept, scores, 0.0)
            label_ids, scores = (
                tf.gather(part, places, batch_dims=1) for part in (label_ids, scores)
            )
            number = tf.reduce_sum(tf.cast(kept, tf.int32), axis=1, keepdims=True)
            return [label_ids, scores, number]

        outputs = [(tf.int32, width), (tf.float32, width), (tf.int32, 1)]
        label_ids, scores, number = self._in_blocks(documents, select_block, outputs)
        return {
            "labels": self.labels.names_of(label_ids),
            "scores": scores,
            "count": number[:, 0],
        }

    def _predict(self, documents, k):
        def rank_block(inputs, rows):
            label_ids, scores = self._rank(inputs)
            return [label_ids[:, :k], scores[:, :k]]

        label_ids, scores = self._in_blocks(
            documents, rank_block, [(tf.int32, k), (tf.float32, k)]
        )
        return {"labels": self.labels.names_of(label_ids), "scores": scores}

    def _score(self, documents, labels):
        shape, count = tf.shape(labels), self._count(documents)
        rank = tf.rank(labels)
        fits = tf.debugging.Assert(
            (rank >= 1) & (rank <= 2) & (tf.concat([shape, [-1]], 0)[0] == count),
            [
                "Expected a row for each text: a label, or labels. Received: shape",
                shape,
            ],
        )
        with tf.control_dependencies([fits]):
            width = tf.concat([shape, [1, 1]], 0)[1]  # of one label per text: 1
        few_labels = tf.debugging.assert_less_equal(
            width, MOST_SCORED, f"Expected at most {MOST_SCORED} labels per text."
        )
        with tf.control_dependencies([few_labels]):
            table = tf.reshape(labels, [count, width])
            label_ids = self.labels.ids(table)

        def compute_scores(inputs, rows):
            ids = tf.gather(label_ids, rows)
            encoded = [m.encode(x) for m, x in zip(self._members, inputs)]
            scores = self._mean_scores(encoded, ids)
            if self._calibration is not None:
                _, ranked = self._rank_together(encoded)
                scores = self._calibration.apply(ids, scores, ranked)
            return [tf.where(ids < 0, -1.0, scores)]

        (scores,) = self._in_blocks(documents, compute_scores, [(tf.float32, width)])
        return {"scores": tf.reshape(scores, shape)}

    def _embed(self, documents):
        def compute_features(inputs, rows):
            features = [m.features(x) for m, x in zip(self._members, inputs)]
            return [tf.concat(features, axis=1)]

        width = sum(member.feature_dim for member in self._members)
        (embedding,) = self._in_blocks(
            documents, compute_features, [(tf.float32, width)]
        )
        return {"embedding": embedding}

    def _check(self, documents):
        """Checks the documents of a request; returns what members read."""
        return tf.ensure_shape(documents, [None])

    def _count(self, documents):
        return tf.size(documents)

    def _rank(self, inputs):
        """Best `most_labels` ids and scores of a block, both (texts, most_labels)."""
        encoded = [m.encode(x) for m, x in zip(self._members, inputs)]
        if len(encoded) == 1:
            found = self._members[0].rank(encoded[0])
            return [part[:, : self.most_labels] for part in found]
        label_ids, scores = self._rank_together(encoded)
        if self._calibration is not None:
            scores = self._calibration.apply(label_ids, scores, scores)
        return label_ids, scores

    def _rank_together(self, encoded):
        """Best labels of an ensemble and their mean scores, before calibration."""
        found = [m.rank(e) for m, e in zip(self._members, encoded)]
        offered = [self.labels.shared(i, ids) for i, (ids, _) in enumerate(found)]
        return rank_together(
            offered, lambda ids: self._mean_scores(encoded, ids), self.most_labels
        )

    def _mean_scores(self, encoded, label_ids):
        scores = [
            member.label_scores(e, self.labels.own(i, label_ids))
            for i, (member, e) in enumerate(zip(self._members, encoded))
        ]
        return average_scores(scores, self._shares)

    def _in_blocks(self, documents, compute, outputs):
        """Calls `compute(inputs, rows)` for blocks of documents of similar length.

        Args:
            documents: string tensor (documents,), or any other input of `_check`.
            compute: function from a list of each member's inputs and the positions
                (block,) of these documents to a list of (block, width) tensors.
            outputs: list of `(dtype, width)` of these tensors.

        Returns:
            List of (documents, width) tensors, in the order of `documents`.
        """
        documents = self._check(documents)
        tokens = [member.read(documents) for member in self._members]
        order = tf.argsort(tokens[0][0].row_lengths())  # (documents,)

        def body(start, *done):
            rows = order[start : start + self._block]
            inputs = [m.inputs(ids, rows) for m, ids in zip(self._members, tokens)]
            parts = compute(inputs, rows)
            return start + self._block, *(
                tf.concat([earlier, part], axis=0) for earlier, part in zip(done, parts)
            )

        empty = [tf.zeros([0, width], dtype) for dtype, width in outputs]
        shapes = [tf.TensorShape([None, part.shape[1]]) for part in empty]
        with self._halves_in_float32():
            _, *sorted_by_length = tf.while_loop(
                lambda start, *done: start < tf.size(order),
                body,
                [tf.constant(0), *empty],
                shape_invariants=[tf.TensorShape([]), *shapes],
                parallel_iterations=1,
            )
        back = tf.math.invert_permutation(order)
        return [tf.gather(part, back) for part in sorted_by_length]

    def _halves_in_float32(self):
        """Scope in which the float16 weights, as float32, replace the models' own."""
        # Outside the loop, so that each call converts them once.
        return keras.StatelessScope(
            [
                (weight, tf.cast(half, tf.float32))
                for member in self._members
                for weight, half in member.halves
            ]
        )


def _one_or_each(values, count, name):
    """The values (n,), if they are one or as many as there are rows."""
    fits = tf.debugging.Assert(
        (tf.size(values) == 1) | (tf.size(values) == count),
        [
            f"Expected one {name} for all rows, or a {name} for each row. Received:",
            tf.shape(values),
        ],
    )
    with tf.control_dependencies([fits]):
        return tf.identity(values)  # or ops run, and fail, before the assertion


def make_member(model, table_dtype, dense_dtype):
    """The member for a model, see `ServingModule`."""
    if isinstance(model, Hybrid):
        # The words' tables are searched as a whole, for which int8 is refused.
        of_words = "float16" if table_dtype == "int8" else table_dtype
        parts = (model.transformer, table_dtype), (model.words, of_words)
        return HybridMember(
            model, [make_member(part, dtype, dense_dtype) for part, dtype in parts]
        )
    members = {LightDXML: LightDXMLMember, OneVsAll: OneVsAllMember}
    return members.get(type(model), EnsembleMember)(model, table_dtype, dense_dtype)


def _most_labels(model):
    if isinstance(model, Hybrid):
        return min(map(_most_labels, (model.transformer, model.words)))
    source = getattr(model, "label_clusters", model)
    return min(model.num_predictions, source.num_candidates, len(model.label_set))
