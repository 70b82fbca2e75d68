"""A training step of LightXML against the equations of the paper.

Nothing of Keras or of this library takes part in the reference: BERT, the two heads,
the losses (https://arxiv.org/abs/2101.03305, equations 1, 4, 5, 6) and AdamW are
written out below in plain TensorFlow and NumPy, in float64.
"""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.numpy_adamw import NumpyAdamW
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW

CLUSTERS = [[3, 0, 8], [1, 5], [7, 2, 9], [4, 6], [10, 11, 12]]
TOP_K, DIM = 2, 3
# The labels of a cluster are one block of the label table.
WIDTH = max(map(len, CLUSTERS))
ROWS = {
    label: WIDTH * i + j for i, c in enumerate(CLUSTERS) for j, label in enumerate(c)
}
IDS = np.array([[2, 7, 9, 7, 3, 0], [2, 8, 3, 0, 0, 0], [2, 30, 31, 8, 39, 3]], "int32")
# Fewer positive clusters than `top_k`, as many, and more.
POSITIVES = [[5], [0, 8, 2], [12, 4, 10, 3]]
RATE, DECAY, STEPS = 1e-3, 0.01, 3


def norm(x, w, path):
    mean = tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean((x - mean) ** 2, axis=-1, keepdims=True)
    x = (x - mean) / tf.sqrt(variance + 1e-12)
    return x * w[f"{path}/gamma"] + w[f"{path}/beta"]


def gelu(x):
    return 0.5 * x * (1 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def bert_features(w, num_layers=2):
    """(documents, num_layers * dim): the last layer's [CLS] state first."""
    x = tf.gather(w["token_embedding/embeddings"], IDS)
    x += w["position_embedding/embeddings"][: IDS.shape[1]]
    x += w["segment_embedding/embeddings"][0]
    x = norm(x, w, "embeddings_layer_norm")
    pads = np.where(IDS == 0, -1e9, 0.0)[:, None, None, :]
    states = []
    for i in range(num_layers):
        layer = f"transformer_layer_{i}"

        def projected(x, name, equation, layer=layer):
            path = f"{layer}/self_attention_layer/{name}"
            return tf.einsum(equation, x, w[f"{path}/kernel"]) + w[f"{path}/bias"]

        def dense(x, name, layer=layer):
            return x @ w[f"{layer}/{name}/kernel"] + w[f"{layer}/{name}/bias"]

        query, key, value = (
            projected(x, name, "btd,dhk->bthk") for name in ("query", "key", "value")
        )
        logits = tf.einsum("bqhk,bthk->bhqt", query, key) / np.sqrt(key.shape[-1])
        logits = tf.exp(logits + pads)
        attention = logits / tf.reduce_sum(logits, axis=-1, keepdims=True)
        mixed = tf.einsum("bhqt,bthk->bqhk", attention, value)
        mixed = projected(mixed, "attention_output", "bqhk,hkd->bqd")
        x = norm(x + mixed, w, f"{layer}/self_attention_layer_norm")
        inner = gelu(dense(x, "feedforward_intermediate_dense"))
        outer = dense(inner, "feedforward_output_dense")
        x = norm(x + outer, w, f"{layer}/feedforward_layer_norm")
        states.append(x[:, 0])
    return tf.concat(states[::-1], axis=1)


def candidates_of(cluster_scores, positives):
    """Labels of the positives' clusters, of the best others, and all positives."""
    positive = [c for c, labels in enumerate(CLUSTERS) if set(labels) & set(positives)]
    rest = [c for c in np.argsort(-cluster_scores) if c not in positive]
    positive = sorted(positive, key=lambda c: -cluster_scores[c])
    kept = (positive + rest)[:TOP_K]
    return sorted({label for c in kept for label in CLUSTERS[c]} | set(positives))


def sigmoid(x):
    return 1 / (1 + tf.exp(-x))


def cross_entropy(target, score):
    return -(target * tf.math.log(score) + (1 - target) * tf.math.log(1 - score))


def loss_of(w, reduction, activation):
    features = bert_features(w)
    total = 0.0
    for feature, positives in zip(tf.unstack(features), POSITIVES):
        # Equation 1: the generator over all clusters.
        kernel, bias = (w[f"generator/{n}"] for n in ("kernel", "bias"))
        scores = sigmoid(tf.linalg.matvec(kernel, feature, transpose_a=True) + bias)
        target = [float(bool(set(labels) & set(positives))) for labels in CLUSTERS]
        generator_loss = cross_entropy(np.array(target), scores)

        # Equations 4 and 5: the discriminator over the candidates.
        kernel, bias = (w[f"ranker/bottleneck/{n}"] for n in ("kernel", "bias"))
        hidden = tf.linalg.matvec(kernel, feature, transpose_a=True) + bias
        hidden = sigmoid(hidden) if activation == "sigmoid" else hidden
        labels = candidates_of(scores.numpy(), positives)
        table = tf.gather(w["ranker/label_embeddings"], [ROWS[i] for i in labels])
        scores = sigmoid(tf.linalg.matvec(table, hidden))
        target = np.array([float(label in positives) for label in labels])
        ranker_loss = cross_entropy(target, scores)

        # Equation 6, and the mean over documents.
        reduce = tf.reduce_sum if reduction == "sum" else tf.reduce_mean
        total += (reduce(generator_loss) + reduce(ranker_loss)) / len(POSITIVES)
    return total


class Recorder(RowwiseAdamW):
    """Keeps the gradients of the last step."""

    def apply(self, grads, trainable_variables=None):
        self.seen = [np.array(tf.convert_to_tensor(g)) for g in grads]
        super().apply(grads, trainable_variables)


def make_model(backbone, reduction, activation):
    clusters = [[*labels, *[-1] * (WIDTH - len(labels))] for labels in CLUSTERS]
    encoder = MultiLayerCLSEncoder(backbone, num_feature_layers=2, dropout=0.0)
    model = LightXML(
        encoder,
        ClusterGenerator(clusters, TOP_K, initial_probability=0.5, name="generator"),
        DynamicCandidateRanker(
            len(CLUSTERS) * WIDTH,
            DIM,
            activation,
            initial_probability=0.5,
            name="ranker",
        ),
        loss_reduction=reduction,
        name="lightxml",
    )
    x = {"token_ids": IDS, "padding_mask": IDS > 0}
    model(x)
    # Far from the first weights, where nothing is zero or one by chance.
    rng = np.random.default_rng(3)
    for weight in model.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    width = max(map(len, POSITIVES))
    labels = np.array([[*row, *[-1] * (width - len(row))] for row in POSITIVES])
    return model, {**x, "label_ids": labels}, labels


def name_of(weight):
    return weight.path.removeprefix("lightxml/")


@pytest.mark.parametrize("reduction, activation", [("sum", "sigmoid"), ("mean", None)])
def test_training_follows_the_equations(backbone, reduction, activation):
    """`("sum", "sigmoid")` is the paper, `("mean", None)` the authors' code."""
    model, x, y = make_model(backbone, reduction, activation)
    optimizer = Recorder(RATE, weight_decay=DECAY, rowwise=[])
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer, run_eagerly=True)

    weights = {name_of(v): v for v in model.trainable_weights}
    adam = {
        name: NumpyAdamW(
            weight,
            decay=0.0 if name.split("/")[-1] in ("bias", "gamma", "beta") else DECAY,
        )
        for name, weight in weights.items()
    }
    start = {name: weight.numpy() for name, weight in weights.items()}
    assert len(adam) == 5 + 2 * 16 + 2 + 3
    for _ in range(STEPS):
        reference = {name: tf.Variable(a.weight) for name, a in adam.items()}
        with tf.GradientTape() as tape:
            loss = loss_of(reference, reduction, activation)
        gradients = tape.gradient(loss, reference)
        history = model.fit(x, y, batch_size=3, verbose=0).history
        assert history["loss"][0] == pytest.approx(float(loss), rel=1e-5)
        for name, found in zip(map(name_of, model.trainable_weights), optimizer.seen):
            expected = tf.convert_to_tensor(gradients[name])
            np.testing.assert_allclose(found, expected, 1e-5, 1e-5, err_msg=name)
            if "key/bias" not in name:  # softmax does not see it
                assert np.abs(expected).max() > 1e-3
        for name, gradient in gradients.items():
            adam[name].step(np.asarray(tf.convert_to_tensor(gradient)), RATE)
    for name, weight in weights.items():
        if "key/bias" in name:  # its gradient is rounding alone, which Adam scales up
            continue
        np.testing.assert_allclose(weight, adam[name].weight, 0, 1e-5, err_msg=name)
        assert "key/bias" in name or np.abs(weight - start[name]).max() > RATE
