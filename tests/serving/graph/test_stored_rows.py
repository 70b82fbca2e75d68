"""Exports of a LightDXML with a linear member."""

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from tests.helpers.answers import (
    ask,
    best_of_offered,
    check_rows,
    names_and_scores,
    signatures_of,
)
from tests.helpers.tiny_lightdxml import (
    NAMES,
    all_scores,
    make_lightdxml,
    make_with_linear,
    make_with_words,
    rows_of,
    scores_with_linear,
)
from xmc_keras.one_vs_all.sparse_one_vs_all import SparseOneVsAll
from xmc_keras.serving.graph.feature_serving_module import FeatureServingModule
from xmc_keras.serving.graph.float32_model import convert_to_float32
from xmc_keras.serving.graph.serving_module import BLOCK, ServingModule
from xmc_keras.serving.graph.stored_rows import StoredRows
from xmc_keras.serving.server.served_model import ServedModel
from xmc_keras.serving.version.serving_ops import find_graph_problems

rng = np.random.default_rng(0)
WORDS = ["sea", "sky", "air", "mud", "x"]
TEXTS = [" ".join(rng.choice(WORDS, n)) for n in rng.integers(0, 9, BLOCK + 5)]
TEXTS += ["", "no\0thing", "sea sky " * 30]


@pytest.mark.large
@pytest.mark.parametrize("make", [make_lightdxml, make_with_words])
@pytest.mark.parametrize("beta", [1.0, 0.7])
def test_answers_as_the_model(make, beta):
    model = make_with_linear(make, beta=beta, num_candidates=4)
    module = ServingModule([model], k=3)
    every, candidate = scores_with_linear(model, TEXTS)
    best = np.argsort(-np.where(candidate, every, -1), axis=1, kind="stable")[:, :3]
    expected = [[(NAMES[i], own[i]) for i in row] for row, own in zip(best, every)]
    found = names_and_scores(ask(module, "serving_default", text=TEXTS))
    check_rows(found, expected)
    check_rows(model.recommend(TEXTS, 3), expected)
    top = names_and_scores(ask(module, "top_k", text=TEXTS, k=2))
    check_rows(top, [row[:2] for row in expected])
    labels = [["u", "no such", "p", "q"]] * len(TEXTS)
    scores = ask(module, "score", text=TEXTS, labels=labels)["scores"]
    np.testing.assert_allclose(scores[:, [0, 2, 3]], every[:, [5, 0, 1]], atol=1e-5)
    assert (scores[:, 1] == -1).all()
    for few in ([""], ["sea"]):
        found = names_and_scores(ask(module, "serving_default", text=few))
        check_rows(found, model.recommend(few, 3))
    none = tf.zeros([0], tf.string)
    assert ask(module, "serving_default", text=none)["labels"].shape == (0, 3)


@pytest.mark.parametrize(
    "stored", [pytest.param("float32", marks=pytest.mark.large), "float16"]
)
def test_saved_graph(tmp_path, stored):
    model = make_with_linear(residual=False)
    module = ServingModule([model], 3, stored, stored)
    tf.saved_model.save(module, str(tmp_path), signatures_of(module))
    assert find_graph_problems(tmp_path) == []
    served = ServedModel(tmp_path)
    texts = np.array([text.encode() for text in TEXTS], object)
    labels = np.array([NAMES] * len(TEXTS))
    found = served.predict({"text": texts, "labels": labels}, "score")["scores"]
    exact, _ = scores_with_linear(model, TEXTS)
    np.testing.assert_allclose(found, exact, atol=1e-5 if stored == "float32" else 0.01)
    assert (np.abs(found - exact).max() > 1e-5) == (stored == "float16")
    rows = names_and_scores(served.predict({"text": texts}))
    for row, own in zip(rows, found):
        assert [score for _, score in row] == pytest.approx(sorted(own)[:-4:-1])
    served.close()
    halves = [v.dtype for v in module.weights if model.linear.num_weights in v.shape]
    expected = tf.float16 if stored == "float16" else tf.float32
    assert sorted(map(str, halves)) == sorted(map(str, [tf.int32, expected]))


def test_features_instead_of_texts():
    model = make_with_linear()
    rows = model.vectorizer.transform(["sea sky", "", "mud air"])
    expected, _ = scores_with_linear(model, ["sea sky", "", "mud air"])
    module = FeatureServingModule([make_with_linear(vectorizer=False)], k=3)
    found = ask(
        module,
        "serving_default",
        indices=rows.indices.astype("int32"),
        values=rows.data,
        row_splits=rows.indptr.astype("int64"),
    )
    best = -np.sort(-expected, axis=1)[:, :3]
    np.testing.assert_allclose(found["scores"], best, atol=1e-5)


def test_mixed_precision_is_traced_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = make_with_linear()
    keras.config.set_dtype_policy("float32")
    assert model.linear.compute_dtype == "bfloat16"
    exact = scores_with_linear(convert_to_float32(model), TEXTS)[0]
    module = ServingModule([model], 3)
    labels = [NAMES] * len(TEXTS)
    scores = ask(module, "score", text=TEXTS, labels=labels)["scores"]
    np.testing.assert_allclose(scores, exact, atol=1e-5)


def test_of_an_ensemble():
    linear = make_with_linear()
    plain = make_lightdxml(1, names=list("spux"), num_candidates=4)
    names, texts = [*NAMES, "x"], ["sea sky", "", "mud"]
    module = ServingModule([linear, plain], k=3)
    mean = np.zeros((len(texts), len(names)))
    of_plain, _ = all_scores(plain, plain.encoder(rows_of(plain, texts)).numpy())
    for model, every in (
        (linear, scores_with_linear(linear, texts)[0]),
        (plain, of_plain),
    ):
        columns = [names.index(name) for name in model.label_set.names]
        mean[:, columns] += every / 2
    asked = [names] * len(texts)
    scores = ask(module, "score", text=texts, labels=asked)["scores"]
    np.testing.assert_allclose(scores, mean, atol=1e-5)
    offers = linear.recommend(texts, 4), plain.recommend(texts, 4)
    found = names_and_scores(ask(module, "serving_default", text=texts))
    check_rows(found, best_of_offered(mean, names, offers, 3))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_without_weights(dtype):
    layer = SparseOneVsAll(2, 3, 0)
    layer.refresh(scipy.sparse.csr_matrix((2, 3)), [0.5, -1])
    ids, weights = tf.ragged.constant([[0, 2], []], tf.int32), [[1.0, 2.0], []]
    logits = StoredRows(layer, dtype).logits(ids, tf.ragged.constant(weights))
    assert logits.numpy().tolist() == [[0.5, -1]] * 2
