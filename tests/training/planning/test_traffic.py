"""Workers of a plan, against gradients and tensors of tiny models, and a ring."""

import dataclasses

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from tests.training.planning import test_lightdxml_plan as lightdxml
from tests.training.planning import test_lightxml_plan as lightxml
from tests.training.planning import test_one_vs_all_plan as one_vs_all
from xmc_keras.config.config import Config
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.one_vs_all.build import build_one_vs_all
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW
from xmc_keras.training.planning.check_memory import give_advice
from xmc_keras.training.planning.lightxml_plan import LightXMLPlan
from xmc_keras.training.planning.traffic import count_received

N, BATCH, TOKENS = 4, 8, 32  # workers, documents of all, tokens of one
LABEL_IDS = np.array([[3, 11, -1, -1, -1, -1, -1, -1]] * (BATCH // N), "int32")


class Recorder(RowwiseAdamW):
    """Records the gradients of a step instead of using them."""

    def apply(self, grads, trainable_variables=None):
        variables = trainable_variables or self._trainable_variables
        self.found = list(zip(variables, grads)) + getattr(self, "blocks", [])

    def update_table(self, variable, gradient):
        self.blocks = [*getattr(self, "blocks", []), (variable, gradient)]


def gradients_of(model, x):
    """Pairs of a variable and its gradient, of a training step."""
    optimizer = Recorder(0.1)
    model.compile(optimizer=optimizer, run_eagerly=True)
    model.train_step((x, x["label_ids"]))
    return optimizer.found


def texts():
    ids = np.random.default_rng(0).integers(1, 100, (BATCH // N, TOKENS))
    ids = ids.astype("int32")
    x = {"token_ids": ids, "padding_mask": np.ones_like(ids), "segment_ids": 0 * ids}
    return {**x, "label_ids": LABEL_IDS}


def words():
    random = np.random.default_rng(0)
    x = {"token_ids": random.integers(0, 50, (BATCH // N, 6)).astype("int32")}
    x["token_weights"] = np.ones((BATCH // N, 6), "float32")
    x["shortlist"] = random.integers(0, 30, (BATCH // N, 5)).astype("int32")
    return {**x, "label_ids": LABEL_IDS}


def make_one_vs_all(plan):
    backbone = keras_nlp.models.BertBackbone(**one_vs_all.SMALL)
    model = build_one_vs_all(plan.config, backbone, None, None, plan.num_labels)
    model({k: v for k, v in texts().items() if k != "label_ids"})
    return model


def with_workers(plan, workers=N, shard_labels=False):
    fields = {"workers": workers}
    if shard_labels:
        fields["shard_labels"] = True
    return dataclasses.replace(plan, **fields)


# Of a LightDXML the words of a batch are few, and its pools whole tables.
CASES = {
    "lightxml": (lightxml.make_plan, lightxml.make_model, texts, {}),
    "levels": (lightxml.make_plan, lightxml.make_model, texts, {"levels": [2, 4]}),
    "bfloat16": (
        *(lightxml.make_plan, lightxml.make_model, texts),
        {
            "table_dtype": "bfloat16",
            "optimizer": "rowwise_sgd",
            "label_learning_rate": 1.0,
        },
    ),
    "one_vs_all": (one_vs_all.make_plan, make_one_vs_all, texts, {}),
    "projected": (
        *(one_vs_all.make_plan, make_one_vs_all, texts),
        {"projection_dim": 6, "block_labels": 10},
    ),
    "lightdxml": (lightdxml.make_plan, lightdxml.make_model, words, {}),
    "label words": (
        *(lightdxml.make_plan, lightdxml.make_model, words),
        {"label_words": 3, "residual": False},
    ),
    "frozen": (
        *(lightdxml.make_plan, lightdxml.make_model, words),
        {"freeze_encoder": True},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_the_plan(case):
    make_plan, make_model, inputs, keys = CASES[case]
    plan = with_workers(make_plan(batch_size=BATCH, **keys))
    found = gradients_of(make_model(plan), inputs())
    rows = [g for _, g in found if isinstance(g, tf.IndexedSlices)]
    whole = [(v, g) for v, g in found if not isinstance(g, tf.IndexedSlices)]
    assert all(v.shape == g.shape for v, g in whole)
    expected = sum(np.prod(v.shape, dtype=int) for v, _ in whole)
    assert sum(plan.dense.values()) == expected
    # As they travel: float32, since sums of bfloat16 would lose digits, and the ids.
    sent = [
        np.size(g.values) * 4 + np.size(g.indices) * g.indices.dtype.size for g in rows
    ]
    planned = sum(n * (4 * width + 4) for n, width in plan.rows.values())
    # A plan has the most that documents may touch: here they share clusters or words.
    assert sum(sent) <= planned
    if "token rows" in plan.rows:
        of_tokens = "token_embedding/embeddings", "segment_embedding/embeddings"
        tokens = [g for v, g in found if v.path.endswith(of_tokens)]
        assert len(tokens) == 2
        number, width = plan.rows["token rows"]
        assert sum(g.values.shape[0] for g in tokens) == number and width == 40
    widths = {g.values.shape[-1] if g.values.ndim > 1 else 1 for g in rows}
    assert widths <= {width for _, width in plan.rows.values()}


def ring(parts):
    """Bytes that the first worker receives while a tensor of n parts is summed."""
    turns = range(len(parts) - 1)
    # In each turn all hand a part on: once round with sums, once with whole sums.
    summed = sum(parts[-1 - turn] for turn in turns)
    return summed + sum(parts[-turn] for turn in turns)


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("shard_labels", [False, True])
def test_received_bytes(n, shard_labels):
    keys = {"batch_size": 6 * 8, "projection_dim": 6}
    plan = with_workers(one_vs_all.make_plan(**keys), n, shard_labels)
    found = count_received(plan)
    own = plan.dense["gradients"] * 4
    parts = [own // n + (place < own % n) for place in range(n)]
    assert found["gradients"] == pytest.approx(ring(parts), abs=4)
    # Every other worker sends what it has.
    documents = 48 // n
    tokens = 2 * documents * TOKENS * (40 * 4 + 4)
    assert found["token rows"] == sum(tokens for _ in range(n - 1))
    if not shard_labels:
        table = 37 * 6 * 4
        assert found["label table"] == pytest.approx(2 * (n - 1) * table / n, abs=1)
        assert set(found) == {"gradients", "token rows", "label table"}
        return
    assert found["candidates"] == (n - 1) * documents * 8 * 4
    features = (n - 1) * documents * 6 * 4
    assert found["features"] == features + 2 * features  # and their gradient
    assert count_received(with_workers(plan, 1)) == {}


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_what_is_exchanged_for_sharded_labels(precision):
    keras.config.set_dtype_policy(precision)
    keys = {"batch_size": BATCH, "precision": precision}
    plan = with_workers(lightxml.make_plan(**keys), shard_labels=True)
    model, x = lightxml.make_model(plan), texts()
    out = model(x, training=True)
    hidden = model.ranker.bottleneck(model.encoder(x))
    sizes = {
        name: np.prod(part.shape[1:]) * 4
        for name, part in (
            ("features", hidden),
            ("candidates", out["candidates"]),
            ("logits", tf.convert_to_tensor(out["logits"])),
        )
    }
    size = sizes["features"], sizes["candidates"], sizes["logits"]
    assert plan.exchanged["features"] == (size[0], size[0])
    assert plan.exchanged["candidates"] == (size[1], 0)
    assert plan.exchanged["logits"] == (size[2], size[2])
    assert count_received(plan)["logits"] == 3 * (N - 1) * BATCH * size[2] // N
    assert plan.rows.keys() == {"token rows"}  # those of labels stay


@pytest.mark.parametrize("num_labels, n", [(37, 3), (37, 8), (400, 5)])
def test_a_worker_has_the_clusters_dealt_to_it(num_labels, n):
    whole = lightxml.make_plan(num_labels, optimizer="partial_rowwise_adamw")
    plan = with_workers(whole, n, shard_labels=True)
    clusters, size = whole.clusters
    rows = max(len(range(me, clusters, n)) for me in range(n)) * size
    assert plan.weights["label table"] == np.zeros((rows, 6), "float32").nbytes
    assert plan.moments["label table"] == 4 * rows * 6 + 4 * rows
    for part in ("encoder", "generator", "bottleneck"):
        assert plan.weights[part] == whole.weights[part]
    assert plan.parameters == whole.parameters and plan.disk == whole.disk
    own = one_vs_all.make_plan(num_labels, optimizer="partial_rowwise_adamw")
    dealt = with_workers(own, n, shard_labels=True)
    rows = max(len(range(me, num_labels, n)) for me in range(n))
    assert dealt.weights["label table"] == 4 * rows * 80
    assert dealt.moments["label table"] == 4 * rows * 80 + 4 * rows
    assert dealt.needs()["machine"] < own.needs()["machine"]


@pytest.mark.parametrize("case", ["lightxml", "levels", "one_vs_all", "lightdxml"])
def test_a_worker_plans_for_its_documents(case):
    """Without shards it is a run with a smaller batch, and the rows of the others."""
    make_plan, *_, keys = CASES[case]
    sizes = {"batch_size": 24, "predict_batch_size": 48}
    plan = with_workers(make_plan(num_labels=25, **sizes, **keys))
    alone = make_plan(num_labels=25, batch_size=6, predict_batch_size=12, **keys)
    step = plan.step
    rows = sum(n * (4 * width + 4) for n, width in plan.rows.values())
    assert step.pop("rows of all workers") == N * rows
    assert step == alone.step and plan.prediction == alone.prediction
    assert plan.weights == alone.weights and plan.moments == alone.moments
    assert plan.steps == make_plan(num_labels=25, **sizes, **keys).steps


def test_known_figures():
    """Amazon-670K on 8 workers of 16 documents, as reckoned by hand."""
    config = Config(
        data="texts",
        encoder="bert_base_en_uncased",
        top_k=75,
        max_leaf=100,
        bottleneck_dim=400,
        batch_size=128,
        max_tokens=128,
    )
    plan = LightXMLPlan(config, EncoderShape.named(config.encoder), 670_091)
    copies, sharded = with_workers(plan, 8), with_workers(plan, 8, True)
    rows = count_received(copies)["label rows"]
    assert rows == 7 * 16 * (75 + 8) * 82 * (400 * 4 + 4)  # 1.2 GB
    found = count_received(sharded)
    assert set(found) == {
        *count_received(copies),
        "features",
        "candidates",
        "logits",
    } - {"label rows"}
    new = sum(found[part] for part in ("features", "candidates", "logits"))
    assert 11e6 < new < 12e6
    table = [
        p.weights["label table"] + p.moments["label table"] for p in (plan, sharded)
    ]
    assert table[0] == 12 * 8192 * 82 * 400 and table[0] == 8 * table[1]
    # Advice names the shards where they help.
    room = {"machine": sharded.needs()["machine"] + 1}
    assert "shard_labels: true" in give_advice(copies, room)
    assert "shard_labels" not in give_advice(plan, room)
