import re

import keras
import numpy as np
import pytest

from xmc_keras.config.config import Config
from xmc_keras.lightxml.build import HEAD, build_model, build_optimizer
from xmc_keras.optimizers.row_loss_scale import RowLossScale
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW

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
def test_build_model_errors(backbone, keys, names, message):
    with pytest.raises(ValueError, match=f"Expected.*Received: .*{message}"):
        build_model(make_config(**keys), backbone, None, CLUSTERS, names)


RATES = {"learning_rate": 0.01, "head_learning_rate": 0.05}


def make_optimizer(total_steps=20, **keys):
    return build_optimizer(
        Config(data="d", encoder="e", **{**RATES, **keys}), total_steps
    )


def make_weights():
    weights = {}
    for scope, name in [
        ("encoder", "kernel"),
        ("encoder", "bias"),
        ("encoder", "gamma"),
        ("encoder", "beta"),
        ("cluster_generator", "kernel"),
        ("dynamic_candidate_ranker", "label_embeddings"),
        ("dynamic_candidate_ranker", "bias"),
    ]:
        with keras.name_scope(scope):
            weight = keras.Variable(np.full((2, 2), 2.0, "float32"), name=name)
        weights[weight.path] = weight
    return weights


def rates_of(optimizer, steps):
    """How far Adam moves weights of encoder and head: its rate, as signs are alike."""
    weights = make_weights()
    encoder = weights["encoder/kernel"]
    head = weights["cluster_generator/kernel"]
    optimizer.build(list(weights.values()))
    rates = []
    for _ in range(steps):
        before = float(encoder[0, 0]), float(head[0, 0])
        optimizer.apply([np.ones((2, 2), "float32")] * len(weights))
        after = float(encoder[0, 0]), float(head[0, 0])
        rates.append(np.subtract(before, after))
    return np.transpose(rates)


@pytest.mark.parametrize(
    "keys, expected",
    [
        ({"schedule": "linear", "warmup": 0.0}, [1, 0.75, 0.5, 0.25]),
        ({"schedule": "linear", "warmup": 0.5}, [0.5, 1, 1, 0.5]),
        ({"schedule": "constant", "warmup": 0.0}, [1, 1, 1, 1]),
        ({"schedule": "constant", "warmup": 0.5}, [0.5, 1, 1, 1]),
    ],
)
def test_learning_rates(keys, expected):
    optimizer = make_optimizer(total_steps=4, weight_decay=0.0, **keys)
    encoder, head = rates_of(optimizer, 4)
    np.testing.assert_allclose(encoder, 0.01 * np.array(expected), 1e-3)
    np.testing.assert_allclose(head, 0.05 * np.array(expected), 1e-3)


def test_one_learning_rate():
    encoder, head = rates_of(make_optimizer(head_learning_rate=None), 1)
    assert encoder == pytest.approx(head)


def test_decay_leaves_biases_and_layer_norm_out():
    optimizer = make_optimizer(weight_decay=0.5, schedule="constant", warmup=0.0)
    weights = make_weights()
    optimizer.build(list(weights.values()))
    optimizer.apply([np.zeros((2, 2), "float32")] * len(weights))
    for path, weight in weights.items():
        rate = 0.01 if path.startswith("encoder") else 0.05
        decayed = path.split("/")[-1] in ("kernel", "label_embeddings")
        expected = 2 * (1 - rate * 0.5) if decayed else 2
        np.testing.assert_allclose(weight, np.full((2, 2), expected), 1e-6)


def test_rows_and_clipping():
    optimizer = make_optimizer()
    assert optimizer.rowwise == ["label_embeddings|label_block"]
    assert optimizer.global_clipnorm is None
    optimizer = make_optimizer(optimizer="adamw", clip_norm=2.5)
    assert optimizer.rowwise == []
    assert optimizer.global_clipnorm == 2.5
    optimizer = make_optimizer(optimizer="rowwise_sgd", label_learning_rate=3.0)
    assert optimizer.rowwise == optimizer.sgd == ["label_embeddings|label_block"]
    optimizer = make_optimizer(optimizer="partial_rowwise_adamw")
    assert optimizer.rowwise == optimizer.partial == ["label_embeddings|label_block"]


@pytest.mark.parametrize("head_rate", [0.05, None])
def test_the_label_table_has_a_rate_of_its_own(head_rate):
    optimizer = make_optimizer(
        total_steps=1,
        label_learning_rate=0.2,
        head_learning_rate=head_rate,
        weight_decay=0.0,
        warmup=0.0,
    )
    weights = make_weights()
    optimizer.build(list(weights.values()))
    optimizer.apply([np.ones((2, 2), "float32")] * len(weights))
    for path, weight in weights.items():
        rate = 0.01 if path.startswith("encoder") else head_rate or 0.01
        rate = 0.2 if path.endswith("label_embeddings") else rate
        np.testing.assert_allclose(weight, np.full((2, 2), 2 - rate), 1e-5)


def test_float16_is_scaled():
    optimizer = make_optimizer(precision="mixed_float16")
    assert isinstance(optimizer, RowLossScale)
    assert isinstance(optimizer.inner_optimizer, RowwiseAdamW)
    for precision in ("float32", "mixed_bfloat16"):
        assert isinstance(make_optimizer(precision=precision), RowwiseAdamW)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_optimizer_can_be_saved(precision):
    optimizer = make_optimizer(warmup=0.2, clip_norm=1.0, precision=precision)
    config = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == optimizer.get_config()
