import re

import keras
import numpy as np
import pytest

from xmc_keras.config.config import Config
from xmc_keras.lightxml.build import HEAD, build_model

CLUSTERS = np.array([[0, 3, 5], [1, 2, -1], [4, 6, -1]])
NAMES = list("abcdefg")


def make_config(**keys):
    small = {"num_feature_layers": 2, "top_k": 2, "bottleneck_dim": 3, "max_tokens": 8}
    return Config(data="texts", encoder="none", **{**small, **keys})


def test_model_is_what_the_config_says(backbone):
    config = make_config(
        feature_dropout=0.3,
        bottleneck_activation="sigmoid",
        loss_reduction="sum",
        initial_probability=0.2,
        num_predictions=6,
    )
    model = build_model(config, backbone, None, CLUSTERS, NAMES)
    assert model.encoder.num_feature_layers == 2
    assert model.encoder.dropout == 0.3
    assert (model.generator.top_k, model.generator.num_clusters) == (2, 3)
    assert model.generator.initial_probability == 0.2
    assert model.ranker.initial_probability == 0.2
    assert model.ranker.num_labels == 9  # with the pads
    assert model.ranker.bottleneck_dim == 3
    assert model.ranker.bottleneck_activation is keras.activations.sigmoid
    assert model.loss_reduction == "sum"
    assert (model.num_predictions, model.max_tokens) == (6, 8)
    assert model.label_set.names == NAMES
    assert model.tokenizer is None


def test_one_label_a_cluster_has_no_ranker(backbone):
    clusters = np.arange(7)[:, None]
    for num_predictions, top_k in [(5, 5), (100, 7)]:
        # `top_k` is for clusters with labels to rank: here the predictions count.
        config = make_config(max_leaf=1, num_predictions=num_predictions)
        model = build_model(config, backbone, None, clusters, NAMES)
        assert model.ranker is None
        assert model.generator.top_k == top_k


def test_the_head_is_found_by_its_paths(backbone, tmp_path):
    model = build_model(make_config(), backbone, None, CLUSTERS, NAMES)
    ids = np.array([[2, 5, 3]])
    model({"token_ids": ids, "padding_mask": ids > 0})
    model.save(tmp_path / "model.keras")
    for m in (model, keras.models.load_model(tmp_path / "model.keras")):
        head = [v for v in m.trainable_variables if re.search(HEAD, v.path)]
        heads = m.generator.trainable_variables + m.ranker.trainable_variables
        assert {id(v) for v in head} == {id(v) for v in heads}
        assert len(head) == 5
        tables = [v.path for v in head if "label_embeddings" in v.path]
        assert len(tables) == 1


@pytest.mark.parametrize(
    "keys, names, message",
    [
        ({"top_k": 4}, NAMES, "top_k=4, num_clusters=3"),
        ({"num_feature_layers": 3}, NAMES, "num_feature_layers=3, .* 2 layers"),
        ({"max_tokens": 17}, NAMES, "max_tokens=17"),
        ({}, NAMES[:6], "6 names, 7 labels"),
    ],
)
def test_errors(backbone, keys, names, message):
    with pytest.raises(ValueError, match=f"Expected.*Received: .*{message}"):
        build_model(make_config(**keys), backbone, None, CLUSTERS, names)
