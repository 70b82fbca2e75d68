"""The plan of one-vs-all, against the variables of models and optimizers."""

import itertools

import keras_nlp
import numpy as np
import pytest

from xmc_keras.config.config import Config
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.lightxml.build import build_optimizer
from xmc_keras.one_vs_all.build import build_one_vs_all
from xmc_keras.training.planning.one_vs_all_plan import GRADIENT_BYTES, OneVsAllPlan

SMALL = {
    "vocabulary_size": 100,
    "num_layers": 3,
    "num_heads": 5,
    "hidden_dim": 40,
    "intermediate_dim": 160,
    "max_sequence_length": 64,
}


def make_plan(num_labels=37, **keys):
    keys = {"system": "one_vs_all", "encoder": "small", "max_tokens": 32, **keys}
    shape = EncoderShape.of({**SMALL, "num_segments": 2})
    return OneVsAllPlan(
        Config(num_feature_layers=2, **keys), shape, num_labels, num_documents=2000
    )


def size(variables):
    return sum(np.prod(v.shape, dtype=int) * v.dtype.size for v in variables)


@pytest.mark.parametrize("projection_dim", [None, 6])
@pytest.mark.parametrize(
    "optimizer, table_dtype, momentum",
    [
        *itertools.product(
            ["rowwise_adamw", "partial_rowwise_adamw", "rowwise_sgd"],
            ["float32", "bfloat16"],
            [0.0],
        ),
        ("rowwise_sgd", "float32", 0.9),
        ("adamw", "float32", 0.0),
    ],
)
def test_weights_and_moments(projection_dim, optimizer, table_dtype, momentum):
    keys = {"optimizer": optimizer, "table_dtype": table_dtype, "momentum": momentum}
    plan = make_plan(projection_dim=projection_dim, block_labels=10, **keys)
    backbone = keras_nlp.models.BertBackbone(**SMALL)
    model = build_one_vs_all(plan.config, backbone, None, None, plan.num_labels)
    ids = np.ones((2, 4), "int32")
    model({"token_ids": ids, "padding_mask": ids})
    assert model.count_params() == sum(plan.parameters.values())
    weights = [v.value for v in model.weights]
    assert size(weights) == sum(plan.weights.values())
    made = build_optimizer(plan.config, 10)
    made.build(model.trainable_variables)
    moments = [v.value for v in made.variables if len(v.shape)]
    assert size(moments) == sum(plan.moments.values())


def test_exports_hold_the_table_in_their_precision():
    plan = make_plan()
    float32, float16, int8 = plan.exports.values()
    numbers = plan.parameters["label table"]
    assert float32 == 4 * sum(plan.parameters.values())
    assert float32 - float16 == 2 * numbers
    assert float32 - int8 == 3 * numbers - 4 * plan.num_labels


def test_blocks_bound_the_step():
    usual, small = make_plan(10**6), make_plan(10**6, block_labels=1000)
    assert usual.block_labels * usual.width * 4 <= GRADIENT_BYTES
    assert small.step["label block"] < usual.step["label block"] / 100
    assert make_plan(500, block_labels=None).block_labels == 500
    # The table of half a precision is half as large, wherever it is.
    half = make_plan(10**6, table_dtype="bfloat16", optimizer="rowwise_sgd")
    assert 2 * half.weights["label table"] == usual.weights["label table"]
    assert half.moments["label table"] == 0 < usual.moments["label table"]
    assert half.needs()["machine"] < usual.needs()["machine"]


def test_amazon_3m_on_a_gpu_of_24_gb():
    shape = EncoderShape.named("bert_base_en_uncased")
    config = Config(
        system="one_vs_all",
        encoder="bert_base_en_uncased",
        num_feature_layers=1,
        max_tokens=128,
        batch_size=128,
        optimizer="rowwise_sgd",
        table_dtype="bfloat16",
        precision="mixed_bfloat16",
    )
    plan = OneVsAllPlan(config, shape, 2_812_281, 1_717_899)
    assert plan.needs(gpu=True)["GPU"] < 24e9
