import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.answers import (
    ask,
    best_of_offered,
    check_rows,
    names_and_scores,
    signatures_of,
)
from tests.helpers.served_lightxml import make_model
from tests.helpers.tiny_lightdxml import (
    NAMES,
    all_scores,
    make_lightdxml,
    make_with_words,
    of_words,
    rows_of,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.serving.graph.float32_model import convert_to_float32
from xmc_keras.serving.graph.lightdxml_member import sum_weighted
from xmc_keras.serving.graph.serving_module import BLOCK, ServingModule
from xmc_keras.serving.server.served_model import ServedModel
from xmc_keras.serving.version.serving_ops import find_graph_problems

TEXTS = ["sea", "Sky sky AIR mud", "", "no\0thing", "sun\nsea sky " * 30, "\U0001f600"]


@pytest.fixture(scope="module")
def plain():
    return make_lightdxml()


@pytest.fixture(scope="module")
def alone(plain):
    """A module with `plain` only."""
    return ServingModule([plain], k=3)


def expected_rows(model, texts, k):
    features = model.encoder(rows_of(model, texts)).numpy()
    scores, candidate = all_scores(model, features)
    scores = np.where(candidate, scores, -1)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return [
        [(model.label_set.names[i], row[i]) for i in places]
        for row, places in zip(scores, best)
    ]


@pytest.mark.parametrize(
    "candidates_from, residual", [("embeddings", True), ("classifier", False)]
)
def test_answers_as_the_model(candidates_from, residual):
    model = make_lightdxml(residual=residual, candidates_from=candidates_from)
    module = ServingModule([model], k=3)
    found = names_and_scores(ask(module, "serving_default", text=TEXTS))
    check_rows(found, expected_rows(model, TEXTS, 3))
    check_rows(found, model.recommend(TEXTS, 3))
    top = names_and_scores(ask(module, "top_k", text=TEXTS, k=99))
    check_rows(top, model.recommend(TEXTS, 4))
    embedding = ask(module, "embed", text=TEXTS)["embedding"]
    features = model.encoder(rows_of(model, TEXTS)).numpy()
    np.testing.assert_allclose(embedding, features, atol=1e-5)
    labels = [["u", "no such", "p", "q"]] * len(TEXTS)
    scores = ask(module, "score", text=TEXTS, labels=labels)["scores"]
    every, _ = all_scores(model, features)
    np.testing.assert_allclose(scores[:, [0, 2, 3]], every[:, [5, 0, 1]], atol=1e-5)
    assert (scores[:, 1] == -1).all()


@pytest.mark.parametrize("candidates_from", ["embeddings", "classifier"])
def test_the_classifier_alone(candidates_from):
    """With beta 1 and its candidates, label embeddings are not stored."""
    model = make_lightdxml(beta=1.0, candidates_from=candidates_from, num_candidates=3)
    module = ServingModule([model], k=3)
    found = names_and_scores(ask(module, "serving_default", text=TEXTS))
    check_rows(found, expected_rows(model, TEXTS, 3))
    every, _ = all_scores(model, model.encoder(rows_of(model, TEXTS)).numpy())
    labels = [[*NAMES, "x"]] * len(TEXTS)
    scores = ask(module, "score", text=TEXTS, labels=labels)["scores"]
    np.testing.assert_allclose(scores[:, :6], every, atol=1e-5)
    tables = [v for v in module.weights if 6 in v.shape and v.shape.rank == 2]
    assert len(tables) == (2 if candidates_from == "embeddings" else 1)


def test_many_texts_and_none(plain, alone):
    rng = np.random.default_rng(0)
    words = ["sea", "sky", "air", "mud", "x"]
    texts = [" ".join(rng.choice(words, n)) for n in rng.integers(0, 9, 2 * BLOCK + 5)]
    found = names_and_scores(ask(alone, "serving_default", text=texts))
    check_rows(found, expected_rows(plain, texts, 3))
    none = tf.zeros([0], tf.string)
    assert ask(alone, "serving_default", text=none)["labels"].shape == (0, 3)
    unknown = ask(alone, "embed", text=["x"] * 3)["embedding"]
    assert (unknown == unknown[0]).all()


@pytest.mark.large
@pytest.mark.parametrize(
    "stored", [pytest.param("float32", marks=pytest.mark.large), "float16"]
)
def test_saved_graph(tmp_path, stored):
    """Only ops that servers have, and the same response from a session."""
    model = make_lightdxml()
    # Numbers that are exact in float16, so that the scores are the same.
    for weight in (model.nearest.label_embeddings, *model.weights):
        if weight.dtype == "float32":
            weight.assign(tf.cast(tf.cast(weight.value, tf.float16), tf.float32))
    module = ServingModule([model], 3, stored, stored)
    tf.saved_model.save(module, str(tmp_path), module.signatures())
    assert find_graph_problems(tmp_path) == []
    served = ServedModel(tmp_path)
    texts = np.array([text.encode() for text in TEXTS], object)
    check_rows(
        names_and_scores(served.predict({"text": texts})), model.recommend(TEXTS, 3)
    )
    odd = np.array([b"\xff sea\xe2\x82", b"\xed\xa0\x80sky"], object)
    check_rows(
        names_and_scores(served.predict({"text": odd})),
        model.recommend(["? sea ?", "? sky"], 3),
    )
    served.close()


def test_float16(plain, alone):
    asked = {"text": ["sea"], "labels": [NAMES]}
    module = ServingModule([plain], 4, "float16", "float16")
    exact, near = (ask(m, "score", **asked) for m in (alone, module))
    np.testing.assert_allclose(near["scores"], exact["scores"], atol=0.01)
    assert (near["scores"] != exact["scores"]).any()
    halves = [v.shape for v in module.weights if v.dtype == tf.float16]
    features = plain.encoder.num_features
    assert sorted(map(tuple, halves)) == sorted([(3, 6), (6, 3), (features, 3)])
    table_alone = ServingModule([plain], 4, "float16")
    assert sum(v.dtype == tf.float16 for v in table_alone.weights) == 2
    with pytest.raises(BadInput, match="float16 for LightDXML, .* Received: int8"):
        ServingModule([plain], 4, "int8")


def scores_with_words(model, texts):
    """Same as `all_scores`, from texts and with words of labels."""
    features = model.encoder(rows_of(model, texts)).numpy()
    rows = model.vectorizer.transform(texts).toarray()
    return all_scores(model, features, of_words(model, rows))


@pytest.mark.large
@pytest.mark.parametrize(
    "candidates_from, num_words, coarse_words",
    [("embeddings", 4, 2), ("classifier", 4, 2), ("classifier", 2, 2)],
)
def test_words_of_labels(candidates_from, num_words, coarse_words):
    model = make_with_words(
        num_words, coarse_words, candidates_from=candidates_from, num_candidates=3
    )
    rng = np.random.default_rng(0)
    words = ["sea", "sky", "air", "mud", "x"]
    texts = [" ".join(rng.choice(words, n)) for n in rng.integers(0, 9, BLOCK + 5)]
    texts += TEXTS
    module = ServingModule([model], k=3)
    found = names_and_scores(ask(module, "serving_default", text=texts))
    check_rows(found, model.recommend(texts, 3))
    every, candidate = scores_with_words(model, texts)
    best = np.argsort(-np.where(candidate, every, -1), axis=1, kind="stable")[:, :3]
    check_rows(
        found,
        [[(NAMES[i], s[i]) for i in places] for s, places in zip(every, best)],
    )
    top = names_and_scores(ask(module, "top_k", text=texts, k=2))
    check_rows(top, model.recommend(texts, 2))
    labels = [["u", "no such", "p", "q"]] * len(texts)
    scores = ask(module, "score", text=texts, labels=labels)["scores"]
    np.testing.assert_allclose(scores[:, [0, 2, 3]], every[:, [5, 0, 1]], atol=1e-5)
    assert (scores[:, 1] == -1).all()
    embedding = ask(module, "embed", text=texts)["embedding"]
    features = model.encoder(rows_of(model, texts))
    np.testing.assert_allclose(embedding, features, atol=1e-5)
    for few in ([""], ["sea"]):
        found = names_and_scores(ask(module, "serving_default", text=few))
        check_rows(found, model.recommend(few, 3))
    none = tf.zeros([0], tf.string)
    assert ask(module, "serving_default", text=none)["labels"].shape == (0, 3)


@pytest.mark.parametrize(
    "candidates_from",
    [pytest.param("embeddings", marks=pytest.mark.large), "classifier"],
)
def test_words_of_labels_in_float16(tmp_path, candidates_from):
    model = make_with_words(candidates_from=candidates_from, residual=False)
    exact, _ = scores_with_words(model, ["sea sky"])
    module = ServingModule([model], 4, "float16", "float16")
    near = ask(module, "score", text=["sea sky"], labels=[NAMES])
    np.testing.assert_allclose(near["scores"], exact, atol=0.01)
    assert np.abs(near["scores"] - exact).max() > 1e-5
    whole = [v.dtype for v in module.weights if v.shape.rank == 2]
    assert tf.float32 not in whole  # all tables are float16
    tf.saved_model.save(module, str(tmp_path), signatures_of(module))
    assert find_graph_problems(tmp_path) == []
    served = ServedModel(tmp_path)
    text = np.array([b"sea sky"], object)
    found = served.predict({"text": text, "labels": np.array([NAMES])}, "score")
    np.testing.assert_allclose(found["scores"], near["scores"], atol=1e-6)
    served.close()


@pytest.mark.parametrize("candidates_from", ["embeddings", "classifier"])
def test_words_of_labels_of_an_ensemble(candidates_from):
    words = make_with_words(candidates_from=candidates_from)
    plain = make_lightdxml(1, names=list("spux"), num_candidates=4)
    names, texts = [*NAMES, "x"], ["sea sky", "", "mud"]
    module = ServingModule([words, plain], k=3)
    asked = [names] * len(texts)
    mean = np.zeros((len(texts), len(names)))
    for model, (every, _) in (
        (words, scores_with_words(words, texts)),
        (plain, all_scores(plain, plain.encoder(rows_of(plain, texts)).numpy())),
    ):
        columns = [names.index(name) for name in model.label_set.names]
        mean[:, columns] += every / 2
    scores = ask(module, "score", text=texts, labels=asked)["scores"]
    np.testing.assert_allclose(scores, mean, atol=1e-5)
    found = names_and_scores(ask(module, "serving_default", text=texts))
    for row, means in zip(found, mean):
        for name, score in row:
            assert score == pytest.approx(means[names.index(name)], abs=1e-5)


def test_mixed_precision_is_traced_in_float32(plain):
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = make_lightdxml()
    keras.config.set_dtype_policy("float32")
    assert half.encoder.compute_dtype == "bfloat16"
    assert convert_to_float32(plain) is plain
    copy = convert_to_float32(half)
    assert copy.vectorizer is half.vectorizer
    check_rows(
        names_and_scores(ask(ServingModule([half], 3), "serving_default", text=TEXTS)),
        copy.recommend(TEXTS, 3),
    )
    np.testing.assert_allclose(copy.get_weights()[0], half.get_weights()[0])


@pytest.mark.large
def test_ensemble_with_lightxml():
    words = make_lightdxml(names=list("srxp"), num_candidates=3, num_predictions=3)
    letters = make_model(0, list("pqrst"), [[0, 3, -1], [1, 4, 2]])
    texts = ["sea a", "b", ""]
    module = ServingModule([words, letters], k=3)
    names = ["s", "r", "x", "p", "q", "t"]
    asked = [names] * len(texts)
    mean = np.zeros((len(texts), 6))
    for model in (words, letters):
        alone = ask(ServingModule([model], 1), "score", text=texts, labels=asked)
        mean += np.maximum(alone["scores"], 0) / 2
    scores = ask(module, "score", text=texts, labels=asked)["scores"]
    np.testing.assert_allclose(scores, mean, atol=1e-5)
    offers = words.recommend(texts, 3), letters.recommend(texts, 4)
    expected = best_of_offered(mean, names, offers, 3)
    found = ask(module, "serving_default", text=texts)
    check_rows(names_and_scores(found), expected)


@pytest.mark.large
def test_other_encoders():
    """An encoder of words and one of subwords."""

    class Mean(keras.layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=(40, 3), name="table")

        def call(self, inputs, training=None):
            rows = tf.gather(self.table.value, tf.maximum(inputs["token_ids"], 0))
            weights = inputs.get("token_weights", inputs.get("padding_mask"))
            return tf.reduce_sum(rows * tf.cast(weights, rows.dtype)[:, :, None], 1)

        def compute_output_shape(self, shape):
            return (shape["token_ids"][0], 3)

    words = make_lightdxml()
    subwords = make_model(0, list("pqrst"), [[0, 3, -1], [1, 4, 2]])
    for source, inputs in (
        ({"vectorizer": words.vectorizer}, rows_of(words, ["sea"])),
        (
            {"tokenizer": subwords.tokenizer, "max_tokens": 8},
            dict.fromkeys(("token_ids", "padding_mask"), np.ones((1, 2), "int32")),
        ),
    ):
        model = LightDXML(Mean(), 6, 5, label_names=NAMES, num_predictions=4, **source)
        model(inputs)
        model.refresh(np.random.default_rng(0).normal(size=(6, 3)).astype("float32"))
        texts = ["sea sky", "a", "", "b sun c"]
        for dense, tolerance in (("float32", 1e-5), ("float16", 1e-3)):
            found = ask(
                ServingModule([model], 4, "float32", dense), "top_k", text=texts, k=4
            )
            expected = [[s for _, s in row] for row in model.recommend(texts, 4)]
            np.testing.assert_allclose(found["scores"], expected, atol=tolerance)


def test_weighted_sums_of_nothing():
    ids = tf.ragged.constant([[], []], dtype=tf.int32)
    sums = sum_weighted(tf.ones([5, 3]), ids, ids.with_values(tf.zeros([0])))
    assert sums.numpy().tolist() == [[0, 0, 0]] * 2
