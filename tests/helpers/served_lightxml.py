"""LightXML models over single letters, for tests of serving."""

import keras
import keras_nlp
import numpy as np

from tests.helpers.tiny_bert import tiny_bert
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]


def make_model(seed, names, clusters, ranker=True, top_k=2, **arguments):
    backbone = tiny_bert(seed, vocabulary_size=len(WORDS))
    # Word vectors far apart, so that texts have different scores.
    table = backbone.token_embedding.embeddings
    table.assign(keras.random.normal(table.shape, seed=seed))
    model = LightXML(
        MultiLayerCLSEncoder(backbone, 2),
        ClusterGenerator(clusters, top_k),
        DynamicCandidateRanker(np.size(clusters), 3) if ranker else None,
        tokenizer=keras_nlp.models.BertTokenizer(WORDS),
        max_tokens=8,
        label_names=names,
        **{"num_predictions": 4, **arguments},
    )
    model(tokens_of(model, ["a"]))
    for weight in model.generator.weights + (model.ranker.weights if ranker else []):
        if weight.dtype == "float32":
            weight.assign(keras.random.normal(weight.shape, seed=seed + 1))
    return model


def tokens_of(model, texts):
    """Encoder input built by hand: each letter is a word, truncated to `max_tokens`."""
    ids = np.zeros((len(texts), model.max_tokens), "int32")
    for row, text in zip(ids, texts):
        words = [WORDS.index(w) if w in WORDS else 1 for w in text.split()]
        words = [2, *words[: model.max_tokens - 2], 3]
        row[: len(words)] = words
    return {"token_ids": ids, "padding_mask": ids > 0}
