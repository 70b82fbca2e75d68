"""A LightXML of three cluster levels over single letters, for tests of serving."""

import keras
import keras_nlp
import numpy as np

from tests.helpers.served_lightxml import WORDS, tokens_of
from tests.helpers.tiny_bert import tiny_bert
from xmc_keras.config.config import Config
from xmc_keras.lightxml.build import build_model

NAMES = list("pqrstuvwxyz")
CLUSTERS = [[3, 0], [1, 4], [2, 5], [7, 6], [8, -1], [10, 9]]
CONFIG = Config(
    encoder="none",
    max_leaf=2,
    top_k=3,
    levels=[2, 4],
    level_top_k=[1, 2],
    level_layers=[1, [1, 2], 2, 2],
    max_tokens=8,
    bottleneck_dim=4,
    num_predictions=5,
)


def make_cascade(seed=0):
    backbone = tiny_bert(seed, vocabulary_size=len(WORDS))
    # Texts far apart at every layer.
    for number, weight in enumerate(backbone.weights, seed):
        if len(weight.shape) > 1:
            weight.assign(keras.random.normal(weight.shape, seed=number))
    tokenizer = keras_nlp.models.BertTokenizer(WORDS)
    model = build_model(CONFIG, backbone, tokenizer, CLUSTERS, NAMES)
    model(tokens_of(model, ["a"]))
    rng = np.random.default_rng(seed)
    for head in (model.generator, *model.levels, model.ranker):
        for weight in head.trainable_weights:
            weight.assign(rng.normal(size=weight.shape))
    return model
