"""An exported `OneVsAll`, against NumPy over the whole table."""

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.answers import ask, check_rows, names_and_scores
from tests.helpers.served_lightxml import WORDS, tokens_of
from tests.helpers.tiny_bert import tiny_bert
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.one_vs_all.one_vs_all import OneVsAll
from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead
from xmc_keras.serving.graph import one_vs_all_member, serving_module
from xmc_keras.serving.graph.serving_module import ServingModule
from xmc_keras.serving.server.served_model import ServedModel

NAMES = [f"label {i}" for i in range(30)]
TEXTS = ["b", "c d e f g h i", "", "a b", "z"]
FORMS = [("float32", "float32"), ("float16", "float16"), ("int8", "float32")]


@pytest.fixture(scope="module")
def model():
    return make_one_vs_all()


def make_one_vs_all():
    keras.utils.set_random_seed(0)
    backbone = tiny_bert(0, vocabulary_size=len(WORDS))
    table = backbone.token_embedding.embeddings
    table.assign(keras.random.normal(table.shape, seed=0))
    head = OneVsAllHead(len(NAMES), 12, 3, initial_probability=0.2)
    model = OneVsAll(
        MultiLayerCLSEncoder(backbone, 1, pooling="mean"),
        head,
        keras_nlp.models.BertTokenizer(WORDS),
        max_tokens=8,
        label_names=NAMES,
        num_predictions=20,
    )
    model(tokens_of(model, ["a"]))
    for block in head.blocks:
        block.assign(keras.random.normal(block.shape, seed=1))
    head.blocks[1].assign(0.01 * head.blocks[1])  # rows of other sizes
    head.blocks[2].assign(0 * head.blocks[2])
    return model


def scores_of(model, texts, stored="float32"):
    """Scores (texts, labels), with the table in the precision of an export."""
    table = np.concatenate([np.array(block, "float64") for block in model.head.blocks])
    if stored == "float16":
        table = table.astype("float16").astype("float64")
    if stored == "int8":
        for row in table:
            step = abs(row).max() / 127 or 1
            row[:] = np.round(row / step) * step
    features = np.array(model.encoder(tokens_of(model, texts)), "float64")
    features = features @ model.head.bottleneck.kernel.numpy()
    logits = features @ table.T + np.log(0.2 / 0.8)
    return 1 / (1 + np.exp(-logits))


def best_of(scores, k):
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return [[(NAMES[i], row[i]) for i in ids] for row, ids in zip(scores, order)]


@pytest.mark.parametrize("form", FORMS)
def test_a_loaded_version_answers_as_its_table(model, form, tmp_path):
    module = ServingModule([model], 5, *form)
    default = {"serving_default": module.signatures()["serving_default"]}
    tf.saved_model.save(module, str(tmp_path), default)
    # float16 weights of the encoder change the third digit.
    tolerance = 1e-5 if form[1] == "float32" else 2e-2
    served = ServedModel(tmp_path)
    found = served.predict({"text": np.array([t.encode() for t in TEXTS], object)})
    expected = scores_of(model, TEXTS, form[0])
    if form[1] == "float32":
        check_rows(names_and_scores(found), best_of(expected, 5), tolerance)
    asked = np.array([NAMES[:3] + ["no such"]] * len(TEXTS), object)
    scores = ask(module, "score", text=TEXTS, labels=asked)["scores"]
    np.testing.assert_allclose(scores[:, :3], expected[:, :3], atol=tolerance)
    assert (scores[:, 3] == -1).all()
    served.close()


def test_given_labels_are_scored_by_their_columns_or_by_the_product(model, monkeypatch):
    labels = np.random.default_rng(0).choice(NAMES, (len(TEXTS), 7))
    expected = scores_of(model, TEXTS)
    places = [[NAMES.index(name) for name in row] for row in labels]
    expected = np.take_along_axis(expected, np.array(places), axis=1)
    for most in (0, 10**6):
        monkeypatch.setattr(one_vs_all_member, "GATHERED", most)
        module = ServingModule([model], 5)
        found = ask(module, "score", text=TEXTS, labels=labels.astype(object))
        np.testing.assert_allclose(found["scores"], expected, atol=1e-5)


def test_with_many_labels_fewer_texts_are_computed_at_a_time(model, monkeypatch):
    monkeypatch.setattr(serving_module, "SCORES", 2 * len(NAMES) + 1)
    expected = best_of(scores_of(model, TEXTS), 5)
    answer = ask(ServingModule([model], 5), "serving_default", text=TEXTS)
    check_rows(names_and_scores(answer), expected)


def test_an_ensemble_with_fewer_bits(model):
    module = ServingModule([model, model], 5, "int8")
    answer = ask(module, "serving_default", text=TEXTS)
    check_rows(names_and_scores(answer), best_of(scores_of(model, TEXTS, "int8"), 5))
