"""A LightXML of three cluster levels, small enough for loops, and data for it."""

import keras
import numpy as np

from tests.helpers.tiny_lightxml import IDS, INPUTS
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.cluster_ranker import ClusterRanker
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML

# Two clusters of four, of eight, of eighteen labels: in no order, with pads.
TABLES = [
    [[2, 0], [3, 1]],
    [[6, 1, -1], [0, 4, -1], [5, 7, -1], [2, 3, -1]],
    [
        *([3, 0, 8], [1, 5, -1], [7, 2, 9], [4, 6, -1]),
        *([10, 17, 12], [11, -1, -1], [13, 14, 15], [16, -1, -1]),
    ],
]
TOP_KS = [1, 2, 2]
NUM_LABELS, DIMS = 18, (2, 3, 2, 3)
BOTTLENECK = 3
POSITIVES = [[5], [0, 17, 2], [12, 4, 10, 16, 6], [3], [], [14, 13]] * 2
WIDTH = max(map(len, POSITIVES))
LABELS = np.array([[*row, *[-1] * (WIDTH - len(row))] for row in POSITIVES])
X = {**INPUTS, "label_ids": LABELS}


@keras.saving.register_keras_serializable(package="tests")
class WideMeanEncoder(keras.layers.Layer):
    """The mean of token embeddings, wide enough for a part of each level."""

    feature_dim = sum(DIMS)

    def build(self, inputs_shape):
        self.table = self.add_weight(
            shape=(40, sum(DIMS)),
            name="table",
            initializer=keras.initializers.RandomNormal(stddev=1.0, seed=1),
        )

    def call(self, inputs, training=None):
        states = keras.ops.take(self.table, inputs["token_ids"], axis=0)
        mask = keras.ops.cast(inputs["padding_mask"], states.dtype)[:, :, None]
        return keras.ops.sum(states * mask, axis=1) / keras.ops.sum(mask, axis=1)

    def compute_output_shape(self, inputs_shape):
        return (inputs_shape["token_ids"][0], sum(DIMS))


def make_cascade(top_ks=TOP_KS, level_dims=DIMS, **arguments):
    """A built cascade whose weights are far from their first values."""
    keras.utils.set_random_seed(0)

    def ranker(num_rows):
        return DynamicCandidateRanker(
            num_rows, BOTTLENECK, "sigmoid", name="dynamic_candidate_ranker"
        )

    levels = [
        ClusterRanker(table, top_k, ranker(len(table)), name=f"cluster_ranker_{i}")
        for i, (table, top_k) in enumerate(zip(TABLES[1:], top_ks[1:]), 1)
    ]
    model = LightXML(
        WideMeanEncoder(name="encoder"),
        ClusterGenerator(TABLES[0], top_ks[0], name="cluster_generator"),
        ranker(levels[-1].num_rows),
        levels=levels,
        level_dims=level_dims,
        **{"num_predictions": 8, "name": "lightxml", **arguments},
    )
    model(INPUTS)
    rng = np.random.default_rng(3)
    for weight in model.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.7, weight.shape))
    return model


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cluster_of(level, label):
    """The cluster of a level that holds a label, by search."""
    return next(i for i, labels in enumerate(TABLES[level]) if label in labels)


def path_of(label):
    """The clusters of all levels that hold a label, coarsest first."""
    path = []
    for level in (2, 1, 0):
        label = cluster_of(level, label)
        path.insert(0, label)
    return path


def variables_of(model):
    """The trained variables by name."""
    generator = model.generator
    found = {"encoder/table": model.encoder.table}
    found |= {f"generator/{x.name}": x for x in (generator.kernel, generator.bias)}
    for number, ranker in enumerate([*(x.ranker for x in model.levels), model.ranker]):
        path, dense = f"ranker_{number + 1}", ranker.bottleneck
        found |= {f"{path}/{x.name}": x for x in (dense.kernel, dense.bias)}
        found[f"{path}/table"] = ranker.label_embeddings
    assert len(found) == len(model.trainable_weights)
    return found


def weights_of(model):
    """Weights by name, in float64."""
    return {name: np.asarray(w, "float64") for name, w in variables_of(model).items()}


def feature_parts(table, level_dims=DIMS):
    """The features (documents, dim) of each level."""
    features = np.stack([table[row[row > 0]].mean(axis=0) for row in IDS])
    if level_dims is None:
        return 4 * [features]
    return np.split(features, np.cumsum(level_dims)[:-1], axis=1)


def row_of_label(label):
    """The row of a label in the last table: by clusters."""
    cluster = cluster_of(2, label)
    return 3 * cluster + TABLES[2][cluster].index(label)


def ranked_logit(w, number, feature, row):
    path = f"ranker_{number}"
    hidden = sigmoid(feature @ w[f"{path}/kernel"] + w[f"{path}/bias"])
    return hidden @ w[f"{path}/table"][row] + np.log(0.01 / 0.99)


def run_cascade(w, parts, document, positives=(), top_ks=TOP_KS):
    """What a document meets at each level, by loops.

    Returns a list of dictionaries, of all clusters of the first level, of the
    candidates of each level, and of the candidate labels: id to logit; and a list of
    dictionaries, id to the product of scores.
    """
    paths = [path_of(label) for label in positives]
    logits = w["generator/kernel"].T @ parts[0][document]
    found = [dict(enumerate(logits + w["generator/bias"]))]
    products = [{i: sigmoid(x) for i, x in found[0].items()}]
    for level in range(3):
        right = {path[level] for path in paths}
        order = products[-1]
        best = sorted(order, key=lambda i: (i not in right, -order[i]))
        kept = best[: top_ks[level]]
        below = {[*path, label][level + 1] for path, label in zip(paths, positives)}
        members = {i for c in kept for i in TABLES[level][c] if i >= 0} | below
        feature, logits, scores = parts[level + 1][document], {}, {}
        for i in members:
            row = i if level < 2 else row_of_label(i)
            logits[i] = ranked_logit(w, level + 1, feature, row)
            scores[i] = order[cluster_of(level, i)] * sigmoid(logits[i])
        found.append(logits)
        products.append(scores)
    return found, products
