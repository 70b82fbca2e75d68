import dataclasses
import inspect

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.config.config import Config
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.lightdxml.build import build_lightdxml, lightdxml_optimizer
from xmc_keras.lightdxml.hnsw_rows import is_hnsw_faster
from xmc_keras.one_vs_all.sparse_one_vs_all import SparseOneVsAll
from xmc_keras.text.word_vectorizer import WordVectorizer
from xmc_keras.training.planning.check_memory import (
    combine_remedies,
    find_remedies,
    give_advice,
)
from xmc_keras.training.planning.lightdxml_plan import (
    BLOCK,
    NEAREST,
    PRODUCTS,
    LightDXMLPlan,
)
from xmc_keras.training.planning.memory_plan import CHUNK, PROCESS

LABELS, FEATURES, DIM = 30, 50, 6


def make_config(**keys):
    keys = {"encoder": "words", "embedding_dim": DIM, "num_predictions": 5, **keys}
    return Config(system="lightdxml", data="texts", **keys)


def make_plan(num_labels=LABELS, num_documents=2000, words=7.5, **keys):
    keys = {"validation_documents": 1000, **keys}
    config = make_config(**keys)
    return LightDXMLPlan(config, num_labels, num_documents, FEATURES, words)


def make_model(plan):
    names = [f"label{i}" for i in range(plan.num_labels)]
    model = build_lightdxml(plan.config, names, num_features=plan.vocabulary)
    ids = np.zeros((2, 3), "int32")
    model({"token_ids": ids, "token_weights": ids.astype("float32")})
    return model


def size(variables):
    return sum(np.prod(v.shape, dtype=int) * v.dtype.size for v in variables)


@pytest.mark.parametrize("optimizer", ["rowwise_adamw", "partial_rowwise_adamw"])
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"residual": False},
        {"label_words": 3},
        {"freeze_encoder": True},
    ],
)
def test_weights_and_moments_are_those_of_the_model(keys, optimizer):
    plan = make_plan(optimizer=optimizer, **keys)
    model = make_model(plan)
    trained = model.trainable_variables
    counted = sum(np.prod(v.shape, dtype=int) for v in trained)
    assert sum(plan.parameters.values()) == counted
    found = [v.value for v in model.weights if len(v.shape) and "seed" not in v.path]
    lexical = 4 * bool(plan.config.label_words)  # its scale is a single number
    assert sum(plan.weights.values()) == size(found) + lexical
    optimizer = lightdxml_optimizer(plan.config, 10)
    optimizer.build(trained)
    tables = [v.value for v in optimizer.variables if len(v.shape)]
    expected = sum(plan.moments.values()) - 2 * lexical
    # Of the words' gains, one a row, partial moments are as large as whole ones.
    assert expected == size(tables)


def test_by_hand():
    plan = make_plan(residual=True)
    encoder = FEATURES * DIM + DIM * DIM + DIM
    parameters = {"encoder": encoder, "classifier": LABELS * (DIM + 1)}
    parameters |= {"label embeddings": 0, "words of labels": 0}
    assert plan.parameters == parameters
    weights = {"encoder": 4 * (encoder + DIM), "classifier": 4 * LABELS * (DIM + 1)}
    weights |= {"label embeddings": 4 * LABELS * DIM, "words of labels": 0}
    assert plan.weights == weights
    assert plan.matrix == 8 * 7.5 * 1000
    held = PROCESS + sum(weights.values()) + 8 * sum(parameters.values()) + plan.matrix
    features, table = 4 * 1000 * DIM, 4 * LABELS * DIM
    phases = plan.phases
    assert phases["label embeddings"] == held + 2 * features + table
    more = make_plan(5000, residual=True)
    three = 3 * 4 * 5000 * DIM + features + PROCESS + more.matrix
    three += sum(more.weights.values()) + 8 * sum(more.parameters.values())
    assert more.phases["label embeddings"] == three
    shortlists = 4 * 1000 * LABELS  # no more neighbors than labels
    search = 3 * 4 * PRODUCTS
    assert phases["shortlists"] == held + features + 3 * table + shortlists + search
    assert phases["training step"] == held + sum(plan.step.values())
    assert phases["prediction"] == held + plan.prediction
    assert plan.needs() == {"machine": max(phases.values())}
    assert plan.about == ("30 labels, 50 features, 8 per document, 96 steps in 1 cycle")


def test_a_step_by_hand():
    plan = make_plan(batch_size=2, num_neighbors=5, residual=False, max_positives=3)
    pool = 2 * (5 + 3)
    assert plan.pool(2) == pool and plan.pool(100) == LABELS
    step = plan.step
    assert step["gradients"] == 4 * LABELS  # biases
    assert step["word rows"] == 2 * 4 * DIM * 2 * 7.5
    assert step["label rows"] == 2 * 4 * DIM * pool
    assert step["scores"] == 4 * 4 * 2 * pool
    assert step["update"] == 4 * 7 * pool * DIM
    shared = make_plan(
        10**6, batch_size=2, num_neighbors=5, shared_negatives=True, random_negatives=9
    )
    assert shared.pool(2) == 2 * (5 + 8) + 9
    wide = make_plan(10**6, batch_size=999, num_neighbors=500, embedding_dim=300)
    assert wide.step["update"] == 4 * 7 * CHUNK
    dense = make_plan(optimizer="adamw")
    assert dense.step["update"] == 4 * 3 * dense.parameters["encoder"]


def test_copied_constants():
    from xmc_keras.lightdxml import shortlist_labels
    from xmc_keras.ops import tables

    assert (tables.BLOCK, shortlist_labels.PRODUCTS) == (BLOCK, PRODUCTS)


def test_a_search_by_graph():
    plan = make_plan(670_091, 490_449)
    exact = plan.changed(search="exact").phases["shortlists"]
    graph = plan.changed(search="hnsw").phases["shortlists"]
    assert graph - exact == 4 * 206 * 670_091 - 3 * 4 * PRODUCTS
    assert plan.phases["shortlists"] == graph
    assert is_hnsw_faster(489_449, 670_091) and not is_hnsw_faster(43_437, 24_043)
    few = make_plan(24_043, 44_437)
    assert few.phases == few.changed(search="exact").phases


def test_without_documents():
    plan = make_plan(num_documents=None)
    assert plan.steps is None and plan.matrix == plan.shortlists == 0
    assert "cycles" not in plan.about


def test_with_a_transformer():
    config = make_config(encoder="small", num_feature_layers=2)
    shape = EncoderShape(3, 5, 40, 160, 100, 64)
    plan = LightDXMLPlan(config, LABELS, 2000, encoder=shape)
    assert plan.dim == 80 and plan.matrix == 0
    assert plan.parameters["encoder"] == shape.parameters
    activations = plan.step["activations"]
    more = plan.changed(max_tokens=256).step["activations"]
    assert more > 2 * activations
    assert "max_tokens" in plan.halved and "embedding_dim" not in plan.halved
    assert "features" not in plan.about


def test_disk(tmp_path):
    plan = make_plan(4000, embedding_dim=40)
    model = make_model(plan)
    model.vectorizer = WordVectorizer(np.arange(FEATURES), np.ones(FEATURES))
    model.label_set = None  # names are not counted
    model.save(tmp_path / "best.keras")
    found = (tmp_path / "best.keras").stat().st_size
    assert found == pytest.approx(plan.disk["best.keras"], rel=0.1)
    disk = plan.disk
    tables = 2 * 4000 * 40
    assert disk["SavedModel float32"] - disk["SavedModel float16"] == 2 * tables
    assert disk["shortlists"] == 4 * 1000 * 400
    moments = sum(plan.moments.values()) - 12 * FEATURES
    assert disk["checkpoint"] - disk["best.keras"] == moments


def test_a_linear_model():
    plan, few = make_plan(4000, linear=True, label_words=3), 50
    assert plan.linear == 8 * 4000 * few + 4 * 4000 + 4 * (FEATURES + 1)
    many = dataclasses.replace(plan, num_features=10**6)
    assert many.linear == 8 * 4000 * 150 + 4 * 4000 + 4 * (10**6 + 1)
    without = many.changed(linear=False)
    assert without.linear == 0 and "linear model" not in without.phases
    rows = 8 * 7.5 * 1000
    held = many.process + sum(many.weights.values()) + sum(many.moments.values()) + rows
    near = 50 * 24 * 1000
    assert many.phases["linear model"] == held + 1.5 * rows + near + 3 * many.linear
    assert many.phases.items() > without.phases.items()
    # Words of labels are part of it in the model that is kept.
    words = 4 * (10**6 + 1) + 4000 * (8 * 3 + 4)
    added = many.linear - words
    assert many.disk["best.keras"] - without.disk["best.keras"] == added
    for name in ("SavedModel float32", "when it is finished"):
        assert many.disk[name] - without.disk[name] == added
    # The checkpoint, the weights of the best epoch, and both models.
    narrow = dataclasses.replace(many.changed(embedding_dim=1), num_labels=10**6)
    disk = narrow.disk
    least = disk["checkpoint"] + disk["best.npz"] + disk["best.keras"]
    plain = narrow.changed(linear=False).disk["best.keras"]
    assert disk["in training, at most"] == least + plain


def test_a_model_with_a_linear_member():
    """Its weights are those that the plan counts, for as many per label."""
    plan = make_plan(200, linear=True, label_words=3)
    rows = scipy.sparse.random(200, FEATURES, 1.0, "csr")
    layer = SparseOneVsAll(200, FEATURES, rows.nnz)
    layer.refresh(rows, np.zeros(200))
    assert size(v.value for v in layer.weights) == plan.linear


def test_copied_constants_of_the_linear_model():
    from xmc_keras.one_vs_all import negative_documents

    assert negative_documents.NEAREST == NEAREST


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(1, 64),
    neighbors=st.integers(1, 500),
    labels=st.integers(10, 10**6),
    documents=st.integers(1001, 10**6),
)
def test_more_never_needs_less(batch, neighbors, labels, documents):
    keys = {"batch_size": batch, "num_neighbors": neighbors, "embedding_dim": 20}
    plan = make_plan(labels, documents, search="exact", **keys)
    need = plan.needs()["machine"]
    for key, value in keys.items():
        assert plan.changed(**{key: 2 * value}).needs()["machine"] >= need
    keys["search"] = "exact"
    assert make_plan(2 * labels, documents, **keys).needs()["machine"] >= need
    assert make_plan(labels, 2 * documents, **keys).needs()["machine"] >= need


def test_what_helps():
    plan = make_plan(670_091, 490_449, embedding_dim=300, num_neighbors=500)
    room = {"machine": 0.8 * plan.needs()["machine"]}
    found = [changes for changes, _ in find_remedies(plan, room)]
    assert {"embedding_dim": 150} in found and {"num_neighbors": 250} in found
    assert {"optimizer": "partial_rowwise_adamw"} in found
    assert not any({"table_dtype", "swa_start"} & set(one) for one in found)
    changes, changed = combine_remedies(plan, room)
    assert changed.fits(room) and changed == plan.changed(**changes)
    assert "embedding_dim: 150" in give_advice(plan, room)
    half = plan.changed(max_features=20)
    assert half.vocabulary == 20 and half.halved["max_features"][0] == 20
    gpu = plan.needs(gpu=True)
    assert gpu["GPU"] < plan.needs()["machine"] and plan.fits(gpu)


def test_the_manual_has_every_phase():
    manual = inspect.getdoc(LightDXMLPlan)
    plan = make_plan(linear=True, label_words=3)
    for name in [*plan.step, "linear model"]:
        assert f"*{name}" in manual
