import dataclasses
import itertools

import keras
import keras_nlp
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.config.config import Config
from xmc_keras.data.document_batches import DocumentBatches
from xmc_keras.data.token_cache import TokenCache
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.lightxml.build import build_model, build_optimizer
from xmc_keras.ops import row_pools
from xmc_keras.optimizers import row_updates
from xmc_keras.training.planning.lightxml_plan import LightXMLPlan
from xmc_keras.training.planning.memory_plan import CHUNK, MULTIPLE, PROCESS, XLA

NAMES = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim")
# Gradients of kernels of our own have no scope; the values are in the encoder's.
OF_GRADIENT = "gradient", "AddN", "PartitionedCall"
SMALL = dict(zip(NAMES, (100, 3, 5, 40, 160)), max_sequence_length=64)


def make_plan(num_labels=37, num_documents=2000, most_labels=8, **keys):
    keys = {"data": "texts", "encoder": "small", "max_leaf": 5, "top_k": 2, **keys}
    keys = {"num_feature_layers": 2, "bottleneck_dim": 6, "max_tokens": 32, **keys}
    shape = EncoderShape.of({**SMALL, "num_segments": 2})
    return LightXMLPlan(Config(**keys), shape, num_labels, num_documents, most_labels)


def make_model(plan):
    backbone = keras_nlp.models.BertBackbone(**SMALL)
    places = np.arange(np.prod(plan.clusters)).reshape(plan.clusters[::-1]).T
    clusters = np.where(places < plan.num_labels, places, -1)
    model = build_model(plan.config, backbone, None, clusters, None)
    ids = np.ones((2, 4), "int32")
    model({"token_ids": ids, "padding_mask": ids})
    return model


def size(variables):
    return sum(np.prod(v.shape, dtype=int) * v.dtype.size for v in variables)


# One cluster level, none but labels, three; and an encoder whose last layer is unused.
HEADS = [{"max_leaf": 5}, {"max_leaf": 1}, {"levels": [2, 4]}]
HEADS.append({"levels": [4], "level_layers": [[1, 2], 2, 2], "num_feature_layers": 5})


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize(
    "optimizer, table_dtype",
    [
        *itertools.product(
            ["rowwise_adamw", "partial_rowwise_adamw", "rowwise_sgd"],
            ["float32", "bfloat16"],
        ),
        ("adamw", "float32"),
    ],
)
def test_weights_and_moments_are_those_of_the_model(heads, optimizer, table_dtype):
    plan = make_plan(
        **heads,
        optimizer=optimizer,
        table_dtype=table_dtype,
        label_learning_rate=1.0,
        num_predictions=5,
    )
    model = make_model(plan)
    counted = sum(np.prod(v.shape, dtype=int) for v in model.trainable_variables)
    assert sum(plan.parameters.values()) == counted
    assert sum(plan.weights.values()) == size(v.value for v in model.weights)
    optimizer = build_optimizer(plan.config, 10)
    optimizer.build(model.trainable_variables)
    # Without the counters.
    tables = [v.value for v in optimizer.variables if len(v.shape)]
    assert sum(plan.moments.values()) == size(tables)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_activations_are_what_the_way_back_reads(precision):
    """Summed over the tensors of a real graph, of all layers but for the extra one."""
    keras.config.set_dtype_policy(precision)
    # Where [CLS] is the feature, the last layer keeps less than the others.
    plan = make_plan(precision=precision, batch_size=4, max_tokens=32, pooling="mean")
    encoder = make_model(plan).encoder
    ids = tf.ones((4, 32), tf.int32)
    x = {"token_ids": ids, "padding_mask": ids, "segment_ids": ids}

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(encoder(x, training=True), tf.float32))
        return tape.gradient(loss, encoder.trainable_variables)

    read = {}
    for operation in gradients.get_concrete_function().graph.get_operations():
        if operation.name.startswith(OF_GRADIENT):
            read |= {tensor.name: tensor for tensor in operation.inputs}
    kept = sum(
        tensor.shape.num_elements() * tensor.dtype.size
        for tensor in read.values()
        if not tensor.name.startswith(OF_GRADIENT)
        # Of documents or of all tokens; no weight is of that many rows.
        and tensor.shape.rank
        and tensor.shape[0] in (4, 4 * 32)
    )
    fewer = plan.encoder._replace(num_layers=SMALL["num_layers"] - 1)
    expected = dataclasses.replace(plan, encoder=fewer).step["activations"]
    assert kept == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("precision, size", [("float32", 4), ("mixed_bfloat16", 2)])
def test_recomputed_layers_hold_one_layer_and_their_inputs(precision, size):
    plan = make_plan(precision=precision, batch_size=4, max_tokens=32)
    alone = dataclasses.replace(plan, encoder=plan.encoder._replace(num_layers=0))
    plan, alone = (p.changed(recompute=True) for p in (plan, alone))
    inputs = 3 * 4 * 32 * 40 * size
    assert plan.step["activations"] == alone.step["activations"] + inputs


def test_label_rows_are_those_of_the_pool():
    plan = make_plan(num_labels=400, batch_size=3, most_labels=11)
    generator = make_model(plan).generator
    label_ids = np.arange(3 * 16, dtype="int32").reshape(3, 16) * 8
    features = np.random.default_rng(0).normal(size=(3, 80)).astype("float32")

    def rows_of(features):
        _, candidates, _ = generator(features, label_ids=label_ids)
        return generator.pool(candidates)[0]

    # XLA takes room for as many as there can be.
    rows = tf.function(rows_of, jit_compile=True)(features)
    assert len(rows_of(features)) <= len(rows) == plan.pool(3, 16)
    assert plan.step["label rows"] == 2 * len(rows) * 6 * 4
    # A row, its cast, their gradients; and a float32 gradient to update with.
    for precision, dtype, width in (
        ("mixed_float16", "float32", 2 * (4 + 2)),
        ("float32", "bfloat16", 2 * (2 + 4) + 4),
        ("mixed_bfloat16", "bfloat16", 2 * 2 + 4),
        ("mixed_float16", "bfloat16", 2 * (2 + 2) + 4),
    ):
        other = plan.changed(precision=precision, table_dtype=dtype)
        assert other.step["label rows"] == len(rows) * 6 * width
    # No more than there are.
    assert plan.pool(10**6) == np.prod(plan.clusters)
    assert make_plan(max_leaf=1).pool(3) == 0


def test_rows_of_cluster_tables_are_those_of_the_pools(monkeypatch):
    plan = make_plan(num_labels=9000, levels=[16, 512], level_top_k=[3, 5])
    model, seen = make_model(plan), []
    assert plan.levels == [16, 512, 2048] and MULTIPLE == row_pools.MULTIPLE

    def call(self, features, candidates, places=None):
        seen.append(int(candidates.shape[0]))
        return ranked(self, features, candidates, places)

    ranked = type(model.ranker).call
    monkeypatch.setattr(type(model.ranker), "call", call)
    features = np.random.default_rng(0).normal(size=(300, 80)).astype("float32")
    label_ids = np.arange(300 * 8, dtype="int32").reshape(300, 8)
    model.rank(features, label_ids, training=True)
    assert sum(seen[:2]) == 512 + 2048 == plan.cluster_pool(300, 8)
    seen.clear()
    model.rank(features[:1])
    # 3 of 16 hold 96 of the 512, and 5 of these 20 of the 2,048: fewer than MULTIPLE.
    assert sum(seen[:2]) == 512 + 1024 == plan.cluster_pool(1)
    gathered = plan.pool(32, 8) + plan.cluster_pool(32, 8)
    assert plan.step["label rows"] == 2 * gathered * 6 * 4


@settings(deadline=None, max_examples=30)
@given(most_labels=st.integers(1, 70), batch_size=st.integers(1, 7))
def test_label_columns_and_steps_are_those_of_batches(most_labels, batch_size):
    documents = 20
    labels = np.zeros((documents, 70), "float32")
    labels[:, 0] = labels[3, :most_labels] = 1
    tokens = TokenCache(np.ones(documents, "int32"), np.arange(documents + 1))
    labels = scipy.sparse.csr_matrix(labels)
    batches = DocumentBatches(tokens, labels, batch_size, pad_id=0, shuffle=True)
    width = max(y.shape[1] for _, y in batches.batches())
    keys = {"batch_size": batch_size, "validation_documents": 5, "epochs": 3}
    plan = make_plan(1000, documents + 5, most_labels, **keys)
    most = batch_size * (2 + width)
    assert plan.step["label rows"] == 2 * 4 * 6 * min(256, most) * 4
    assert plan.steps == 3 * batches.num_batches
    assert plan.changed(train_documents=documents).steps == plan.steps
    unknown = dataclasses.replace(plan, num_documents=None)
    assert unknown.steps is None
    assert unknown.changed(train_documents=documents).steps == plan.steps


def test_terms_of_a_step():
    plan = make_plan(num_labels=3000, batch_size=4)
    table = plan.parameters["label table"]
    dense = sum(plan.parameters.values()) - table
    assert plan.step["gradients"] == 4 * dense
    assert plan.changed(clip_norm=1.0).step["gradients"] == 8 * dense
    # The casts of the weights, and the gradients before they are unscaled.
    half = {p: plan.changed(precision=p) for p in ("mixed_bfloat16", "mixed_float16")}
    assert half["mixed_bfloat16"].step["gradients"] == (4 + 2) * dense
    assert half["mixed_float16"].step["gradients"] == (8 + 2) * dense
    largest = max(100 * 40, plan.parameters["generator"])
    assert plan.step["update"] == 4 * (largest + 7 * plan.pool(4, 8) * 6)
    assert plan.changed(optimizer="adamw").step["update"] == 4 * max(largest, 3 * table)
    wide = make_plan(num_labels=10**6, batch_size=64, bottleneck_dim=4000)
    assert wide.step["update"] == 4 * (wide.parameters["generator"] + 7 * CHUNK)
    assert CHUNK == row_updates.CHUNK


def test_phases():
    plan = make_plan(num_labels=3000, swa_start=1, bottleneck_dim=100)
    trained = sum(plan.parameters.values())
    assert plan.averages == 8 * trained
    assert plan.changed(swa_start=None).averages == 0
    table = plan.parameters["label table"]
    assert plan.changed(table_dtype="bfloat16").averages == 8 * trained - 4 * table
    held = PROCESS + sum(plan.weights.values()) + 8 * trained + plan.averages
    phases = plan.phases
    assert phases["training step"] == held + sum(plan.step.values())
    assert phases["prediction"] == held + plan.prediction
    assert phases["saving"] - plan.saving == max(
        phases["training step"], phases["prediction"]
    )
    assert plan.saving == 2 * plan.weights["label table"]
    assert make_plan(num_labels=1).saving == 2 * 4 * 100 * 40  # the tokens'
    assert plan.needs() == {"machine": max(phases.values())}
    compiled = plan.changed(jit_compile=True)
    assert compiled.needs()["machine"] == plan.needs()["machine"] + XLA
    on_gpu = plan.needs(gpu=True)
    assert on_gpu["machine"] == PROCESS + plan.averages + plan.saving
    assert on_gpu["GPU"] + PROCESS + plan.averages == phases["training step"]
    assert plan.fits(on_gpu) and plan.fits(plan.needs())
    assert not plan.fits({**on_gpu, "GPU": on_gpu["GPU"] - 1})
    assert not plan.fits({"machine": plan.needs()["machine"] - 1})


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(1, 64),
    tokens=st.integers(3, 64),
    labels=st.integers(10, 10**6),
    width=st.integers(1, 500),
)
def test_more_never_needs_less(batch, tokens, labels, width):
    keys = {"batch_size": batch, "max_tokens": tokens, "bottleneck_dim": width}
    plan = make_plan(labels, **keys)
    need = plan.needs()["machine"]
    for key, value in keys.items():
        assert plan.changed(**{key: 2 * value}).needs()["machine"] >= need
    assert make_plan(2 * labels, **keys).needs()["machine"] >= need


@pytest.mark.parametrize("max_leaf", [50, 1])
def test_disk(max_leaf, tmp_path):
    plan = make_plan(num_labels=20_000, max_leaf=max_leaf, bottleneck_dim=60, top_k=2)
    model = make_model(plan)
    model.save(tmp_path / "best.keras")
    found = (tmp_path / "best.keras").stat().st_size
    assert found == pytest.approx(plan.disk["best.keras"], rel=0.1)
    disk = plan.disk
    moments = sum(plan.moments.values())
    assert disk["checkpoint"] == disk["best.keras"] + moments
    trained = sum(plan.parameters.values())
    averaged = plan.changed(swa_start=1).disk["checkpoint"]
    assert averaged == disk["checkpoint"] + 4 * trained
    if max_leaf == 1:
        table = plan.parameters["generator"]
        assert "SavedModel int8" not in disk
    else:
        table = plan.parameters["label table"]
        saved = disk["SavedModel float32"] - disk["SavedModel int8"]
        assert saved == 3 * table - 4 * np.prod(plan.clusters)
        half = plan.changed(table_dtype="bfloat16").disk
        assert half["best.keras"] == disk["best.keras"] - 2 * table
        # However it was trained, a table is stored in as many bits as asked for.
        assert half["SavedModel float16"] == disk["SavedModel float16"]
        assert half["SavedModel int8"] == disk["SavedModel int8"]
    assert disk["SavedModel float32"] - disk["SavedModel float16"] == 2 * table


@pytest.mark.large
def test_disk_of_an_export(tmp_path):
    """In float32, float16 and int8, graph and vocabulary included."""
    from xmc_keras.serving.graph.serving_module import ServingModule

    backbone, tokenizer = load_encoder("minilm")
    config = Config(data="texts", encoder="minilm", bottleneck_dim=200, top_k=5)
    plan = LightXMLPlan(config, EncoderShape.named("minilm"), num_labels=50_000)
    names = [f"label {i}" for i in range(plan.num_labels)]
    places = np.arange(np.prod(plan.clusters)).reshape(plan.clusters[::-1]).T
    clusters = np.where(places < plan.num_labels, places, -1)
    model = build_model(config, backbone, tokenizer, clusters, names)
    model.recommend(["a text"])
    for precision in ("float32", "float16", "int8"):
        module = ServingModule([model], 5, precision)
        path = tmp_path / precision
        tf.saved_model.save(module, str(path), module.signatures())
        found = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        expected = plan.disk[f"SavedModel {precision}"]
        assert found == pytest.approx(expected, rel=0.05)
