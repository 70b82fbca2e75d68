import dataclasses

import pytest

from xmc_keras.config.config import Config
from xmc_keras.config.config_conflicts import find_conflicts

GOOD = vars(Config(data="texts", encoder="minilm"))


@pytest.mark.parametrize(
    "changes, keys",
    [
        ({}, []),
        ({"swa_start": 2}, []),
        ({"swa_start": 3}, [("swa_start", "epochs")]),
        (
            {"negatives": "static", "recall_epochs": 3},
            [("recall_epochs", "epochs", "negatives")],
        ),
        ({"negatives": "static", "max_leaf": 1}, [("negatives", "max_leaf")]),
        ({"optimizer": "rowwise_sgd"}, [("label_learning_rate", "optimizer")]),
        ({"optimizer": "rowwise_sgd", "label_learning_rate": 9.0}, []),
        (
            {"optimizer": "adamw", "table_dtype": "bfloat16"},
            [("table_dtype", "optimizer")],
        ),
        ({"table_dtype": "bfloat16"}, []),
        ({"levels": [16, 128]}, []),
        ({"levels": [16, 128], "level_top_k": [16, 30]}, []),
        ({"levels": [16, 128], "level_top_k": [17, 30]}, [("level_top_k", "levels")]),
        ({"levels": [16, 128], "level_top_k": [16]}, [("level_top_k", "levels")]),
        ({"level_top_k": [16]}, [("level_top_k", "levels")]),
        ({"levels": [16], "max_leaf": 1}, [("levels", "max_leaf")]),
        ({"levels": [16], "negatives": "static"}, [("levels", "negatives")]),
        (
            {"level_layers": [[1], [2]], "negatives": "static"},
            [("level_layers", "negatives")],
        ),
        ({"level_layers": [[5], [6]]}, []),
        ({"level_layers": [[6]], "max_leaf": 1}, []),
        ({"level_layers": [[6]]}, [("level_layers", "levels")]),
        ({"level_layers": [[4], [5], [6]]}, [("level_layers", "levels")]),
        ({"level_layers": [[4], [5, 6], [6]], "levels": [16]}, []),
        (
            {"level_layers": [[5], [6]], "num_feature_layers": 2},
            [("num_feature_layers", "level_layers")],
        ),
        ({"distribute": "mirrored", "replicas": 2}, []),
        (
            {"distribute": "multi_worker", "replicas": 2},
            [("replicas", "distribute")],
        ),
        (
            {"distribute": "mirrored", "precision": "mixed_float16"},
            [("precision", "distribute")],
        ),
        (
            {"distribute": "multi_worker", "jit_compile": True},
            [("jit_compile", "distribute")],
        ),
        ({"distribute": "multi_worker", "shard_labels": True}, []),
        ({"shard_labels": True}, [("shard_labels", "distribute")]),
        (
            {"distribute": "multi_worker", "shard_labels": True, "max_leaf": 1},
            [("shard_labels", "max_leaf")],
        ),
    ],
)
def test_the_keys_at_fault_are_named(changes, keys):
    check_keys_at_fault(GOOD | changes, keys)


def check_keys_at_fault(values, keys):
    found = find_conflicts(values)
    assert [at_fault for at_fault, _ in found] == keys
    for _, message in found:
        assert message.startswith("Expected ") and "Received: " in message


def test_all_conflicts_are_reported():
    changes = {"swa_start": 9, "optimizer": "rowwise_sgd", "negatives": "static"}
    assert (
        len(find_conflicts(GOOD | changes | {"recall_epochs": 9, "max_leaf": 1})) == 4
    )
    names = {field.name for field in dataclasses.fields(Config)}
    assert set(GOOD) == names


ONE_VS_ALL = vars(Config(data="texts", encoder="minilm", system="one_vs_all"))


@pytest.mark.parametrize(
    "changes, keys",
    [
        ({}, []),
        ({"optimizer": "rowwise_sgd", "momentum": 0.9}, []),
        ({"optimizer": "rowwise_sgd", "table_dtype": "bfloat16"}, []),
        ({"momentum": 0.9}, [("momentum", "optimizer")]),
        (
            {"optimizer": "rowwise_sgd", "momentum": 0.9, "table_dtype": "bfloat16"},
            [("momentum", "table_dtype")],
        ),
        (
            {"optimizer": "adamw", "table_dtype": "bfloat16"},
            [("table_dtype", "optimizer")],
        ),
        ({"swa_start": 3}, [("swa_start", "epochs")]),
        ({"encoder": "words"}, [("encoder", "system")]),
        ({"schedule": "cosine"}, []),
        ({"schedule": "halving"}, [("schedule", "system")]),
        ({"max_leaf": 1}, [("max_leaf", "system")]),
        ({"refresh": 2}, [("refresh", "system")]),
    ],
)
def test_keys_of_one_vs_all(changes, keys):
    check_keys_at_fault(ONE_VS_ALL | changes, keys)


@pytest.mark.parametrize(
    "key, value", [("momentum", 0.5), ("block_labels", 9), ("projection_dim", 9)]
)
@pytest.mark.parametrize("system", ["lightxml", "lightdxml"])
def test_keys_of_one_vs_all_alone(system, key, value):
    with pytest.raises(ValueError, match=f"{key}, a key of one_vs_all. Remove it, or"):
        Config(encoder="minilm", system=system, **{key: value})


WORDS = vars(Config(data="texts", encoder="words", system="lightdxml"))


@pytest.mark.parametrize(
    "changes, keys",
    [
        ({}, []),
        ({"schedule": "halving", "halve_at": [2, 9]}, []),
        ({"schedule": "halving"}, [("halve_at", "schedule")]),
        ({"halve_at": [2]}, [("halve_at", "schedule")]),
        ({"random_negatives": 5}, [("random_negatives", "shared_negatives")]),
        ({"random_negatives": 5, "shared_negatives": True}, []),
        ({"logq_correction": 0.5}, [("logq_correction", "shared_negatives")]),
        ({"logq_correction": 0.5, "shared_negatives": True}, []),
        ({"swa_start": 1}, [("swa_start", "system")]),
        ({"negatives": "static"}, [("negatives", "system")]),
        ({"table_dtype": "bfloat16"}, [("table_dtype", "system")]),
        ({"encoder": "minilm", "label_words": 9}, [("label_words", "encoder")]),
        ({"linear": True}, [("linear", "label_words")]),
        ({"linear": True, "label_words": 9, "linear_c": 2.0}, []),
        ({"linear_c": 2.0}, [("linear_c", "linear")]),
    ],
)
def test_keys_of_lightdxml(changes, keys):
    check_keys_at_fault(WORDS | changes, keys)


def test_what_lightxml_does_not_have():
    changes = {"encoder": "words", "schedule": "halving"}
    found = find_conflicts(GOOD | changes)
    assert [keys for keys, _ in found] == [
        ("encoder", "system"),
        ("schedule", "system"),
    ]
