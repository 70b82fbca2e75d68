"""A small backbone of each kind, and inputs for it."""

import keras
import keras_nlp
import numpy as np

from tests.helpers.tiny_bert import LONG, SIZES, tiny_bert
from xmc_keras.encoders.xlnet.xlnet_backbone import XLNetBackbone

IDS = np.array([[2, 7, 9, 11, 3], [2, 5, 3, 0, 0], [2, 8, 6, 3, 0]], "int32")
INPUTS = {
    "token_ids": IDS,
    "padding_mask": IDS > 0,
    "segment_ids": np.array([[0, 0, 1, 1, 1], [0] * 5, [0] * 5], "int32"),
}
MODELS = keras_nlp.models
# Each kind of encoder, of two layers or more.
BACKBONES = {
    "bert": tiny_bert,
    "roberta": lambda: MODELS.RobertaBackbone(**LONG),
    "xlm_roberta": lambda: MODELS.XLMRobertaBackbone(**LONG),
    "distil_bert": lambda: MODELS.DistilBertBackbone(**LONG),
    "electra": lambda: MODELS.ElectraBackbone(
        vocab_size=40,
        embedding_dim=6,
        **{k: x for k, x in LONG.items() if k != "vocabulary_size"},
    ),
    # Two groups of two layers, each called twice.
    "albert": lambda: MODELS.AlbertBackbone(
        **{**LONG, "num_layers": 4},
        num_groups=2,
        num_inner_repetitions=2,
        embedding_dim=6,
    ),
    "deberta": lambda: MODELS.DebertaV3Backbone(**LONG, bucket_size=8),
    "xlnet": lambda: XLNetBackbone(**SIZES),
}


def made(kind):
    """A backbone of random weights all of which matter."""
    keras.utils.set_random_seed(0)
    backbone = BACKBONES[kind]()
    rng = np.random.default_rng(0)
    for weight in backbone.weights:
        if weight.dtype == "float32":
            weight.assign(rng.normal(size=weight.shape, scale=0.5))
    return backbone
