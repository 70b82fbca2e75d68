"""A LightXML small enough to be traced in a second, and data for it."""

import keras
import numpy as np

from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.metrics.precision_at_k import PrecisionAtK
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW

CLUSTERS = np.array([[3, 0, 8], [1, 5, -1], [7, 2, 9], [4, 6, -1]])
NUM_LABELS, TOP_K, NUM_PREDICTIONS = 10, 2, 5
NAMES = [f"label {i}" for i in range(NUM_LABELS)]
RNG = np.random.default_rng(0)
IDS = RNG.integers(5, 40, (12, 6))
IDS[::3, 4:] = 0
INPUTS = {"token_ids": IDS, "padding_mask": IDS > 0}
# One to four labels, without repeats, -1 pads: int64, as NumPy's integers are.
LABELS = np.stack([RNG.permutation(NUM_LABELS)[:4] for _ in IDS])
LABELS[np.arange(4) >= RNG.integers(1, 5, (12, 1))] = -1
X = {**INPUTS, "label_ids": LABELS}


@keras.saving.register_keras_serializable(package="tests")
class MeanEncoder(keras.layers.Layer):
    """The smallest encoder: the mean of token embeddings."""

    def build(self, inputs_shape):
        self.table = self.add_weight(shape=(40, 4), name="table")

    def call(self, inputs, training=None):
        states = keras.ops.take(self.table, inputs["token_ids"], axis=0)
        mask = keras.ops.cast(inputs["padding_mask"], states.dtype)[:, :, None]
        return keras.ops.sum(states * mask, axis=1) / keras.ops.sum(mask, axis=1)

    def compute_output_shape(self, inputs_shape):
        return (inputs_shape["token_ids"][0], 4)


def make_model(clusters=CLUSTERS, top_k=TOP_K, ranker=True, **arguments):
    keras.utils.set_random_seed(0)
    arguments = {"num_predictions": NUM_PREDICTIONS, **arguments}
    model = LightXML(
        MeanEncoder(),
        ClusterGenerator(clusters, top_k),
        DynamicCandidateRanker(np.size(clusters), 3, "sigmoid") if ranker else None,
        **arguments,
    )
    optimizer = RowwiseAdamW(0.05)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer, metrics=[PrecisionAtK(1), PrecisionAtK(3)])
    return model
